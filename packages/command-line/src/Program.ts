import { constants } from "node:os"
import * as CliCommand from "@effect/cli/Command"
import * as NodeRuntime from "@effect/platform-node-shared/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type Demand, make, UsageError, type Verb } from "./command/Command.ts"
import type * as CompletionModule from "./completion/Completion.ts"
import type { Completion, Values } from "./completion/Completion.ts"
import { complain } from "./ErrorReport.ts"
import * as HelpText from "./help/HelpText.ts"
import { closest } from "./help/Suggestion.ts"
import * as Terminal from "./terminal/Terminal.ts"

/** The answer, already printed, is one that scripts should see by the exit status, 1 or another: nothing more to say. */
export class Negative extends Data.TaggedError("Negative")<{ readonly status: number }> {}

/** What a program says of itself. */
interface Self {
  readonly name: string
  readonly version: string
  readonly usage: () => string
  readonly help: Effect.Effect<string>
  /** What to do after a wrong command line. */
  readonly hint: string
}

/** Do what was demanded. */
const meet = (demand: Demand, self: Self): Effect.Effect<void, unknown> => {
  switch (demand._tag) {
    case "Work":
      return demand.work
    case "Help":
      return Effect.flatMap(self.help, (text) => Console.log(text))
    case "Version":
      return Console.log(self.version)
    case "Completions":
      return Effect.flatMap(
        Effect.promise(() => import("./completion/Scripts.ts")),
        ({ completionScript }) => Console.log(completionScript(demand.shell, self.name))
      )
  }
}

/** Do what a command line asks of a verb. */
const perform = (verb: Verb, args: ReadonlyArray<string>, self: Self): Effect.Effect<void, unknown> =>
  verb.parse(args).pipe(
    Effect.flatMap((demand) => meet(demand, self)),
    Effect.mapError((error) =>
      error instanceof UsageError
        ? new UsageError({ message: error.message, usage: self.usage(), hint: error.hint ?? self.hint })
        : error
    )
  )

/** An answer that could not be written is a failure; a reader that went away early has what it wanted. */
const onLostOutput = (error: NodeJS.ErrnoException): void => {
  if (error.code === "EPIPE") return
  process.exitCode = 1
  process.stderr.write(`error: cannot write the output: ${error.message}\n`)
}

/** 0 on success, what a {@link Negative} answer says, 1 on any other failure; after a signal what is told. */
const statusOf = (exit: Exit.Exit<unknown, unknown>, afterSignal: number): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.isInterruptedOnly(exit.cause)) return afterSignal
  const error: unknown = Cause.squash(exit.cause)
  return error instanceof Negative ? error.status : 1
}

/**
 * Run to the end, say what went wrong, and exit.
 *
 * @param afterSignal the exit status when a signal ended it
 */
const launch = (effect: Effect.Effect<void, unknown>, afterSignal: () => number = () => 0): void => {
  process.stdout.on("error", onLostOutput)
  effect.pipe(
    Effect.tapErrorCause((cause) => {
      const error: unknown = Cause.squash(cause)
      return Cause.isInterruptedOnly(cause) || error instanceof Negative ? Effect.void : complain(error)
    }),
    NodeRuntime.runMain({
      disableErrorReporting: true,
      teardown: (exit, onExit) => onExit(statusOf(exit, afterSignal()))
    })
  )
}

/** Asked by a program's own completion scripts: what can stand at the cursor. */
const completionCommand = "__complete"

const tellCompletions = (
  [shell = "", ...args]: ReadonlyArray<string>,
  complete: (module: typeof CompletionModule, line: ReadonlyArray<string>) => Effect.Effect<Completion>
): Effect.Effect<void> =>
  Effect.promise(() => Promise.all([import("./completion/Completion.ts"), import("./completion/Protocol.ts")])).pipe(
    Effect.flatMap(([module, { answer }]) => answer(shell, args, (line) => complete(module, line))),
    Effect.flatMap((text) => Console.log(text))
  )

/** Run a program that is one command, on the process's command line. */
export const runVerb = (verb: Verb, version: string): void => {
  const { name, descriptor } = verb
  const args = process.argv.slice(2)
  const usage = () => verb.usage
  const help = Effect.map(Terminal.stdout, (terminal) => HelpText.commandHelp(descriptor, usage(), [], terminal))
  launch(
    args[0] === completionCommand
      ? tellCompletions(args.slice(1), ({ ofVerb }, line) => ofVerb(verb, line, () => Effect.succeed([])))
      : perform(verb, args, { name, version, usage, help, hint: `${name} --help` })
  )
}

/** A command of a program: its name, and the rest, which is loaded only when it is asked for. */
export interface Command {
  readonly name: string
  readonly load: Effect.Effect<Verb>
}

/** A program that has commands. */
export interface Program extends HelpText.Overview {
  readonly version: string
  /** What the values of its flags can be, for completion; loaded only then. */
  readonly values: () => Promise<Values>
}

const performCommand = (program: Program, command: Command, args: ReadonlyArray<string>) =>
  Effect.flatMap(command.load, (verb) => {
    const { environment, name, version } = program
    const usage = () => `${name} ${verb.usage}`
    const help = Effect.map(Terminal.stdout, (terminal) =>
      HelpText.commandHelp(verb.descriptor, usage(), environment, terminal)
    )
    return perform(verb, args, { name, version, usage, help, hint: `${name} help ${verb.name}` })
  })

/** What a command line asks that names no command; the commands are loaded for the help on them only. */
const performBare = (program: Program, commands: ReadonlyArray<Command>, args: ReadonlyArray<string>) => {
  const { name, version } = program
  const verbs = Effect.forEach(commands, ({ load }) => load)
  const help = Effect.zipWith(verbs, Terminal.stdout, (verbs, terminal) =>
    HelpText.programHelp(program, verbs, terminal)
  )
  const bare = CliCommand.make(name, {}, () => Effect.flatMap(help, (text) => Console.log(text)))
  const usage = () => `${name} COMMAND [OPTIONS]`
  return perform(make(bare), args, { name, version, usage, help, hint: `${name} help` })
}

const unknownCommand = (name: string, given: string, commands: ReadonlyArray<Command>): UsageError => {
  const meant = closest(given, [...commands.map((command) => command.name), "help"])
  const question = meant === undefined ? "" : `, did you mean ${JSON.stringify(meant)}?`
  return new UsageError({
    message: `unknown command ${JSON.stringify(given)}${question} (${name} --help lists the commands)`,
    usage: `${name} COMMAND [OPTIONS]`,
    hint: meant === undefined ? `${name} help` : `${name} help ${meant}`
  })
}

/** 128 and the number of the signal that came first, as shells have it: what was asked for has not been answered. */
const cutShort = (): (() => number) => {
  let status = 0
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      status ||= 128 + constants.signals[signal]
    })
  }
  return () => status
}

/** Run a program that has commands, on the process's command line: the first argument names the command. */
export const run = (program: Program, commands: ReadonlyArray<Command>): void => {
  const { name } = program
  const args = process.argv.slice(2)
  if (args[0] === completionCommand) {
    const values = Effect.promise(program.values)
    launch(
      tellCompletions(args.slice(1), ({ ofProgram }, line) =>
        Effect.flatMap(values, (values) => ofProgram(line, commands, values))
      )
    )
    return
  }
  // Another way to write `VERB --help`.
  const [first, ...rest] = args[0] === "help" ? [...args.slice(1).filter((arg) => arg !== "help"), "--help"] : args
  const command = commands.find((candidate) => candidate.name === first)
  if (command !== undefined) launch(performCommand(program, command, rest), cutShort())
  else if (first === undefined || first.startsWith("-"))
    launch(performBare(program, commands, first === undefined ? [] : [first, ...rest]))
  else launch(unknownCommand(name, first, commands))
}
