import * as CliCommand from "@effect/cli/Command"
import * as CommandDescriptor from "@effect/cli/CommandDescriptor"
import * as NodeRuntime from "@effect/platform-node-shared/NodeRuntime"
import { escapeControls } from "@port-server/domain/Allocation"
import { sentenceOf } from "@port-server/domain/Environment"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as HelpText from "./HelpText.ts"
import { type Demand, make, UsageError, type Verb } from "./Verb.ts"

/** The answer, already printed, is one that scripts should see by the exit status, 1 or another: nothing more to say. */
export class Negative extends Schema.TaggedError<Negative>()("Negative", {
  status: Schema.optionalWith(Schema.Int, { default: () => 1 })
}) {}

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

/** What a program says of itself. */
interface Self {
  readonly name: string
  readonly version: string
  readonly usage: () => string
  readonly help: () => string
  /** What completions are made of. */
  readonly descriptor: Effect.Effect<HelpText.Descriptor>
}

/** Do what was demanded. */
const meet = (demand: Demand, self: Self): Effect.Effect<void, unknown> => {
  switch (demand._tag) {
    case "Work":
      return demand.work
    case "Help":
      return Effect.suspend(() => Console.log(self.help()))
    case "Version":
      return Console.log(self.version)
    case "Completions":
      return self.descriptor.pipe(
        Effect.flatMap((descriptor) => completions[demand.shell](descriptor, self.name)),
        Effect.flatMap((lines) => Console.log(lines.flatMap(knownOptions).join("\n")))
      )
  }
}

/** Do what a command line asks of a verb. */
const perform = (verb: Verb, args: ReadonlyArray<string>, self: Self): Effect.Effect<void, unknown> =>
  verb.parse(args).pipe(
    Effect.flatMap((demand) => meet(demand, self)),
    Effect.mapError((error) =>
      error instanceof UsageError ? new UsageError({ message: error.message, usage: self.usage() }) : error
    )
  )

/** An answer that could not be written is a failure; a reader that went away early has what it wanted. */
const onLostOutput = (error: NodeJS.ErrnoException): void => {
  if (error.code === "EPIPE") return
  process.exitCode = 1
  process.stderr.write(`error: cannot write the output: ${error.message}\n`)
}

/** 0 on success or after a signal, what a {@link Negative} answer says, 1 on any other failure. */
const statusOf = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return 0
  const error: unknown = Cause.squash(exit.cause)
  return error instanceof Negative ? error.status : 1
}

/**
 * Run to the end and exit. An error is one line `error: <sentence>` on stderr; when the command line is what is wrong,
 * with the usage after it.
 */
const launch = (effect: Effect.Effect<void, unknown>): void => {
  process.stdout.on("error", onLostOutput)
  effect.pipe(
    Effect.tapErrorCause((cause) => {
      const error: unknown = Cause.squash(cause)
      if (Cause.isInterruptedOnly(cause) || error instanceof Negative) return Effect.void
      const line = Console.error(`error: ${escapeControls(sentenceOf(error))}`)
      return error instanceof UsageError && error.usage !== undefined
        ? Effect.zipRight(line, Console.error(`usage: ${error.usage}`))
        : line
    }),
    NodeRuntime.runMain({ disableErrorReporting: true, teardown: (exit, onExit) => onExit(statusOf(exit)) })
  )
}

/** Run a program that is one command, on the process's command line. */
export const runVerb = (verb: Verb, version: string): void => {
  const { name, descriptor } = verb
  const usage = () => verb.usage
  const help = () => HelpText.commandHelp(descriptor, usage())
  launch(perform(verb, process.argv.slice(2), { name, version, usage, help, descriptor: Effect.succeed(descriptor) }))
}

/** A command of a program: its name, and the rest, which is loaded only when it is asked for. */
export interface Command {
  readonly name: string
  readonly load: Effect.Effect<Verb>
}

const descriptorOf = (name: string, verbs: ReadonlyArray<Verb>): HelpText.Descriptor => {
  const program = CommandDescriptor.make(name)
  const [first, ...others] = verbs.map((verb) => [verb.name, verb.descriptor] as const)
  return first === undefined ? program : CommandDescriptor.withSubcommands(program, [first, ...others])
}

/** The line of the command line that names no command. */
const bare = (name: string, help: () => string): Verb =>
  make(CliCommand.make(name, {}, () => Effect.suspend(() => Console.log(help()))))

/**
 * Run a program that has commands, on the process's command line: the first argument names the command.
 *
 * @param program `summary` is what the program is for, in one sentence
 */
export const run = (
  program: { readonly name: string; readonly version: string; readonly summary: string },
  commands: ReadonlyArray<Command>
): void => {
  const { name, version, summary } = program
  const [first, ...rest] = process.argv.slice(2)
  const all = Effect.forEach(commands, ({ load }) => load)
  const descriptor = Effect.map(all, (verbs) => descriptorOf(name, verbs))
  const command = commands.find((candidate) => candidate.name === first)
  if (command !== undefined) {
    launch(
      Effect.flatMap(command.load, (verb) => {
        const usage = () => `${name} ${verb.usage}`
        const help = () => HelpText.commandHelp(verb.descriptor, usage())
        return perform(verb, rest, { name, version, usage, help, descriptor })
      })
    )
    return
  }
  const usage = () => `${name} COMMAND [OPTIONS]`
  launch(
    first === undefined || first.startsWith("-")
      ? Effect.flatMap(all, (verbs) => {
          const help = () => HelpText.programHelp(name, summary, verbs)
          return perform(bare(name, help), process.argv.slice(2), { name, version, usage, help, descriptor })
        })
      : new UsageError({
          message: `unknown command ${JSON.stringify(first)} (${name} --help lists the commands)`,
          usage: usage()
        })
  )
}
