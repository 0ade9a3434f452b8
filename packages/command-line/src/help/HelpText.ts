import { type Definition, sections } from "../command/Description.ts"
import type { Terminal } from "../terminal/Terminal.ts"
import * as Syntax from "./Syntax.ts"
import { wrap } from "./Wrap.ts"

/** The widest that a line of help may be. */
const columns = 80

/** A term that is wider stands on a line of its own. */
const widestTerm = 27

/** The width of the column of terms. */
const termWidth = (terms: ReadonlyArray<string>): number =>
  Math.max(0, ...terms.map(({ length }) => (length > widestTerm ? 0 : length)))

const definitionLines = (
  definitions: ReadonlyArray<Definition>,
  width = termWidth(definitions.map(([term]) => term))
): ReadonlyArray<string> => {
  const indent = " ".repeat(width + 4)
  return definitions.flatMap(([term, text]) => {
    const [first = "", ...others] = wrap(text, columns - indent.length)
    return term.length > width
      ? [`  ${term}`, ...[first, ...others].map((line) => `${indent}${line}`)]
      : [`  ${term.padEnd(width)}  ${first}`.trimEnd(), ...others.map((line) => `${indent}${line}`)]
  })
}

/** A flag with its value, or an optional part, stays in one piece. */
const usageWords = /\[[^\]]*\]\S*|--[a-z-]+ [A-Za-z]\S*|\S+/g

/** A line of usage on as many lines as it needs, the further ones below its first flag. */
export const usageLines = (line: string, width: number): ReadonlyArray<string> => {
  const [name = ""] = /^(?:[a-z][a-z-]* ?)+/.exec(line) ?? []
  const words = line.slice(name.length).match(usageWords) ?? []
  return wrap(words, width - name.length).map((text, index) => (index === 0 ? name : " ".repeat(name.length)) + text)
}

const indented = (lines: ReadonlyArray<string>): ReadonlyArray<string> => lines.map((line) => `  ${line}`)

const section = ({ paint }: Terminal, title: string, lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length === 0 ? [] : [[paint("bold", `${title}:`), ...lines].join("\n")]

/** What an author wrote below a heading of the description. */
const written = (blocks: ReadonlyArray<Syntax.Block>, title: string): ReadonlyArray<Syntax.Block> => {
  const start = blocks.findIndex((block) => block._tag === "Heading" && block.text === title)
  if (start === -1) return []
  const rest = blocks.slice(start + 1)
  const end = rest.findIndex(({ _tag }) => _tag === "Heading")
  return end === -1 ? rest : rest.slice(0, end)
}

const writtenDefinitions = (blocks: ReadonlyArray<Syntax.Block>, title: string): ReadonlyArray<Definition> =>
  written(blocks, title).flatMap((block) => (block._tag === "Definition" ? [[block.term, block.text] as const] : []))

const builtIns = Syntax.builtIns.map(({ term, text }): Definition => [term, text])

const usualExits: ReadonlyArray<Definition> = [
  ["0", "It is done"],
  ["1", "It is not; one line on stderr says why"]
]

/** What a command is for, in one line. */
export const summary = (descriptor: Syntax.Descriptor): string =>
  Syntax.description(descriptor)[0]?.text.split("\n")[0] ?? ""

/**
 * The whole help of a command.
 *
 * @param usageLine the whole line of usage, from the program's name on
 * @param environment the variables that matter to the whole program
 */
export const commandHelp = (
  descriptor: Syntax.Descriptor,
  usageLine: string,
  environment: ReadonlyArray<Definition>,
  terminal: Terminal
): string => {
  const blocks = Syntax.description(descriptor)
  const end = blocks.findIndex(({ _tag }) => _tag === "Heading")
  const [first = "", ...details] = blocks
    .slice(0, end === -1 ? blocks.length : end)
    .flatMap(({ text }) => wrap(text, columns))
  const exits = new Map([...usualExits, ...writtenDefinitions(blocks, sections.exits)])
  return [
    first,
    ...(details.length === 0 ? [] : [details.join("\n")]),
    ...section(terminal, "Usage", indented(usageLines(usageLine, columns - 2))),
    ...section(
      terminal,
      "Options",
      definitionLines([
        ...Syntax.parameters(descriptor).map(
          ({ name, placeholder, text }): Definition => [placeholder === "" ? name : `${name} ${placeholder}`, text]
        ),
        ...builtIns
      ])
    ),
    ...section(
      terminal,
      sections.environment,
      definitionLines([...writtenDefinitions(blocks, sections.environment), ...environment])
    ),
    ...section(terminal, sections.exits, definitionLines([...exits])),
    ...section(
      terminal,
      sections.examples,
      indented(written(blocks, sections.examples).flatMap(({ text }) => text.split("\n")))
    )
  ].join("\n\n")
}

/** A program that has commands, as its help shows it. */
export interface Overview {
  readonly name: string
  /** What it is for, in a sentence or two. */
  readonly summary: string
  /** The variables that matter to all of it. */
  readonly environment: ReadonlyArray<Definition>
  /** Titles, each with the names of its commands. */
  readonly groups: Readonly<Record<string, ReadonlyArray<string>>>
}

/** The whole help of a program that has commands: by groups, those in none at the end. */
export const programHelp = (
  { environment, groups, name, summary: purpose }: Overview,
  commands: ReadonlyArray<{ readonly name: string; readonly descriptor: Syntax.Descriptor }>,
  terminal: Terminal
): string => {
  const named = new Map(commands.map((command) => [command.name, command]))
  const grouped = new Set(Object.values(groups).flat())
  const others = commands.filter((command) => !grouped.has(command.name)).map((command) => command.name)
  const width = termWidth([...named.keys()])
  const lines = (names: ReadonlyArray<string>) =>
    definitionLines(
      names.flatMap((command) => {
        const found = named.get(command)
        return found === undefined ? [] : [[command, summary(found.descriptor)] as const]
      }),
      width
    )
  return [
    purpose
      .split("\n")
      .flatMap((line) => wrap(line, columns))
      .join("\n"),
    ...section(terminal, "Usage", [`  ${name} COMMAND [OPTIONS]`]),
    ...[...Object.entries(groups), ["Others", others] as const].flatMap(([title, names]) =>
      section(terminal, title, lines(names))
    ),
    ...section(terminal, "Options", definitionLines(builtIns)),
    ...section(terminal, sections.environment, definitionLines(environment)),
    `Run "${name} help COMMAND" for the options of a command.`
  ].join("\n\n")
}
