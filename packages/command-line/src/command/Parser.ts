import type { CliApp } from "@effect/cli/CliApp"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Descriptor from "@effect/cli/CommandDescriptor"
import type { CommandDirective } from "@effect/cli/CommandDirective"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Span from "@effect/cli/HelpDoc/Span"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { UsageError } from "../UsageError.ts"
import * as Arguments from "./Arguments.ts"
import type { Command } from "./Command.ts"
import { builtIns } from "./Flag.ts"

/** What a command line asks for: the work of a command, or what a built-in flag does. */
export type Directive<R = never> = CommandDirective<Effect.Effect<void, unknown, R>>

// Names are as they are written; the strict checks suggest corrections.
const config = CliConfig.make({ isCaseSensitive: true, autoCorrectLimit: 0 })

/** What prompts and checks of files need: no parameter is one, and to load it would cost every start. */
const services = Context.unsafeMake<CliApp.Environment>(new Map())

/** The message on the first parameter that has a bad value. */
const messageOf = (doc: HelpDoc.HelpDoc): string => {
  if (HelpDoc.isSequence(doc)) return messageOf(doc.left)
  const span = HelpDoc.getSpan(doc)
  return Span.isText(span) ? span.value : ""
}

/** What the arguments ask of a command. @param path the words that lead to it, from the program's name on */
export const parse = <R>(
  path: ReadonlyArray<string>,
  command: Command<R>,
  args: ReadonlyArray<string>
): Effect.Effect<Directive<R>, UsageError> =>
  Arguments.normalize([...command.parameters, ...builtIns], args, path.join(" ")).pipe(
    Effect.mapError((message) => new UsageError({ message })),
    Effect.flatMap((words) =>
      Descriptor.parse(command.descriptor, [command.name, ...words], config).pipe(
        Effect.mapError(({ error }) => new UsageError({ message: messageOf(error) }))
      )
    ),
    Effect.provide(services)
  )
