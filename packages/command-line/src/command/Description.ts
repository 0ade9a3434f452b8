import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Span from "@effect/cli/HelpDoc/Span"

/** A term and what it stands for, such as an environment variable. */
export type Definition = readonly [term: string, text: string]

/** What the help of a command says beyond what it does. */
export interface Further {
  /** What an exit status means, where that is more than 0 for done and 1 for failed. */
  readonly exits?: Readonly<Record<number, string>>
  /** The environment variables that matter to it, beyond those of the whole program. */
  readonly environment?: ReadonlyArray<Definition>
}

/** The sections that an author writes; {@link describe} makes them and the help text finds them. */
export const sections = { environment: "Environment", exits: "Exit status", examples: "Examples" } as const

const definitions = (title: string, [first, ...others]: ReadonlyArray<Definition>): ReadonlyArray<HelpDoc.HelpDoc> => {
  const item = ([term, text]: Definition): [Span.Span, HelpDoc.HelpDoc] => [Span.text(term), HelpDoc.p(text)]
  return first === undefined ? [] : [HelpDoc.h2(title), HelpDoc.descriptionList([item(first), ...others.map(item)])]
}

/**
 * What a command does: in one line, in more sentences where one does not tell all, and by an example or more.
 *
 * @param details a line or more each; long ones are wrapped
 */
export const describe = (
  summary: string,
  example: string | ReadonlyArray<string>,
  details: ReadonlyArray<string> = [],
  { environment = [], exits = {} }: Further = {}
) =>
  Command.withDescription(
    HelpDoc.blocks([
      HelpDoc.p(summary),
      ...details.map((line) => HelpDoc.p(line)),
      ...definitions(sections.environment, environment),
      ...definitions(sections.exits, Object.entries(exits)),
      HelpDoc.h2(sections.examples),
      ...[example].flat().map((line) => HelpDoc.p(line))
    ])
  )
