import * as Command from "@effect/cli/Command"
import * as CommandDescriptor from "@effect/cli/CommandDescriptor"
import * as NodeRuntime from "@effect/platform-node-shared/NodeRuntime"
import { escapeControls } from "@port-server/domain/Allocation"
import { sentenceOf } from "@port-server/domain/Environment"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as HelpText from "./HelpText.ts"
import { make, UsageError, type Verb } from "./Verb.ts"

/** The answer, already printed, is one that scripts should see as a failure: exit 1, nothing more to say. */
export class Negative extends Schema.TaggedError<Negative>()("Negative", {}) {}

const completions = {
  bash: CommandDescriptor.getBashCompletions,
  fish: CommandDescriptor.getFishCompletions,
  zsh: CommandDescriptor.getZshCompletions
}

/** A line of a completion script without the options that @effect/cli adds and these programs refuse. */
const knownOptions = (line: string): ReadonlyArray<string> =>
  /^\s*opts="/.test(line)
    ? [line.replace(/ --(log-level|wizard)\b/g, "")]
    : /(--|-l )(log-level|wizard)\b/.test(line)
      ? []
      : [line]

/** Do what a command line asks of a verb. */
const perform = (
  verb: Verb,
  args: ReadonlyArray<string>,
  program: {
    readonly name: string
    readonly version: string
    readonly help: () => string
    /** What completions are made of. */
    readonly descriptor: () => HelpText.Descriptor
  }
): Effect.Effect<void, unknown> =>
  Effect.flatMap(verb.parse(args), (demand): Effect.Effect<void, unknown> => {
    switch (demand._tag) {
      case "Work":
        return demand.work
      case "Help":
        return Effect.suspend(() => Console.log(program.help()))
      case "Version":
        return Console.log(program.version)
      case "Completions":
        return Effect.flatMap(completions[demand.shell](program.descriptor(), program.name), (lines) =>
          Console.log(lines.flatMap(knownOptions).join("\n"))
        )
    }
  })

/** An answer that could not be written is a failure; a reader that went away early has what it wanted. */
const onLostOutput = (error: NodeJS.ErrnoException): void => {
  if (error.code === "EPIPE") return
  process.exitCode = 1
  process.stderr.write(`error: cannot write the output: ${error.message}\n`)
}

/**
 * Run to the end and exit: 0 on success or after a signal, 1 on failure. An error is one line `error: <sentence>` on
 * stderr; when the command line is what is wrong, with the usage after it.
 */
const launch = (usage: () => string, effect: Effect.Effect<void, unknown>): void => {
  process.stdout.on("error", onLostOutput)
  effect.pipe(
    Effect.tapErrorCause((cause) => {
      const error: unknown = Cause.squash(cause)
      if (Cause.isInterruptedOnly(cause) || error instanceof Negative) return Effect.void
      const line = Console.error(`error: ${escapeControls(sentenceOf(error))}`)
      return error instanceof UsageError ? Effect.zipRight(line, Console.error(`usage: ${usage()}`)) : line
    }),
    NodeRuntime.runMain({ disableErrorReporting: true })
  )
}

/** Run a program that is one command, on the process's command line. */
export const runVerb = (verb: Verb, version: string): void => {
  const usage = () => HelpText.usage(verb.descriptor)
  const { name, descriptor } = verb
  const help = () => HelpText.commandHelp(descriptor, usage())
  launch(usage, perform(verb, process.argv.slice(2), { name, version, help, descriptor: () => descriptor }))
}

const descriptorOf = (name: string, verbs: ReadonlyArray<Verb>): HelpText.Descriptor => {
  const program = CommandDescriptor.make(name)
  const [first, ...others] = verbs.map((verb) => [verb.name, verb.descriptor] as const)
  return first === undefined ? program : CommandDescriptor.withSubcommands(program, [first, ...others])
}

/**
 * Run a program that has commands, on the process's command line: the first argument names the command.
 *
 * @param program `summary` is what the program is for, in one sentence
 */
export const run = (
  program: { readonly name: string; readonly version: string; readonly summary: string },
  verbs: ReadonlyArray<Verb>
): void => {
  const { name, version, summary } = program
  const [first, ...rest] = process.argv.slice(2)
  const descriptor = () => descriptorOf(name, verbs)
  const verb = verbs.find((candidate) => candidate.name === first)
  if (verb !== undefined) {
    const usage = () => `${name} ${HelpText.usage(verb.descriptor)}`
    const help = () => HelpText.commandHelp(verb.descriptor, usage())
    launch(usage, perform(verb, rest, { name, version, help, descriptor }))
    return
  }
  const help = () => HelpText.programHelp(name, summary, verbs)
  const bare = make(Command.make(name, {}, () => Effect.suspend(() => Console.log(help()))))
  launch(
    () => `${name} COMMAND [OPTIONS]`,
    first === undefined || first.startsWith("-")
      ? perform(bare, process.argv.slice(2), { name, version, help, descriptor })
      : new UsageError({ message: `unknown command ${JSON.stringify(first)} (${name} --help lists the commands)` })
  )
}
