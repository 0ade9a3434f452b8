import * as Cause from "effect/Cause"
import * as ConfigError from "effect/ConfigError"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { type Command, subcommandsOf } from "./command/Command.ts"
import { joinWithOr } from "./command/Flag.ts"
import { type Directive, parse } from "./command/Parser.ts"
import { suggest } from "./command/Suggestion.ts"
import type { Values } from "./completion/Completion.ts"
import { reportError } from "./ErrorReport.ts"
import { helpText, usageOf } from "./help/HelpText.ts"
import * as Terminal from "./terminal/Terminal.ts"
import { NonZeroExit, UsageError } from "./UsageError.ts"

/** What a process ends with: 0 is success. */
export type ExitCode = number

/** A program: its commands, and what it is called. */
export interface ProgramInfo {
  readonly root: Command
  readonly version: string
  /** The values of its flags, for completion; loaded only then. */
  readonly values?: () => Promise<Values>
  /** The message of any error. */
  readonly messageOf: (error: unknown) => string
  /** Text without what would steer a terminal. */
  readonly printable: (text: string) => string
  /** A value as JSON that is fit for a terminal; for programs with a flag `--json`. */
  readonly jsonText?: (value: unknown) => string
}

/** A command with the words that lead to it, and the arguments that follow them. */
interface Resolved {
  readonly path: ReadonlyArray<string>
  readonly command: Command
  readonly args: ReadonlyArray<string>
}

/** Follow the words that name subcommands, loading only those. */
const resolve = ({ args, command, path }: Resolved): Effect.Effect<Resolved> => {
  const [first, ...rest] = args
  const subcommand = subcommandsOf(command).find(({ name }) => name === first)
  return subcommand === undefined
    ? Effect.succeed({ path, command, args })
    : Effect.flatMap(subcommand.load, (command) => resolve({ path: [...path, subcommand.name], command, args: rest }))
}

/** The error of a word that names no subcommand, or of a missing one. */
const unknownCommand = ({ args: [given, next], command, path }: Resolved): UsageError => {
  const names = subcommandsOf(command).map(({ name }) => name)
  const [program, ...words] = path
  if (given === undefined) return new UsageError({ message: `${names.join("|")} is required` })
  if (words.length > 0) {
    const meant = suggest(given, names)
    const question = meant === undefined ? "" : `, did you mean ${JSON.stringify(meant)}?`
    const message = `${path.join(" ")} takes ${joinWithOr(names)}, not ${JSON.stringify(given)}${question}`
    return new UsageError({ message })
  }
  const line = command.meant?.(given, next)
  const meant = line ?? suggest(given, [...names, "help"])
  const question = meant === undefined ? "" : `, did you mean ${JSON.stringify(meant)}?`
  const hint = meant === undefined || names.includes(meant) || meant === "help" ? `help ${meant}` : meant
  return new UsageError({
    message: `unknown command ${JSON.stringify(given)}${question} (${program} --help lists the commands)`,
    hint: meant === undefined ? undefined : `${program} ${hint}`
  })
}

/** What the arguments ask of the command; a command that only has subcommands needs one. */
const directiveOf = (resolved: Resolved): Effect.Effect<Directive, UsageError> => {
  const { args, command, path } = resolved
  const [first] = args
  if (subcommandsOf(command).length === 0 || command.parameters.length > 0 || first?.startsWith("-")) {
    return parse(path, command, args)
  }
  return first === undefined && path.length === 1 ? parse(path, command, ["--help"]) : unknownCommand(resolved)
}

const execute = (directive: Directive, { command, path }: Resolved, { root, version }: ProgramInfo) => {
  if (directive._tag === "UserDefined") return directive.value
  const { option } = directive
  switch (option._tag) {
    case "ShowVersion":
      return Console.log(version)
    case "ShowCompletions":
      return Effect.flatMap(
        Effect.promise(() => import("./completion/Scripts.ts")),
        ({ completionScript }) => Console.log(completionScript(option.shellType, root.name))
      )
    default:
      return Effect.flatMap(Terminal.stdout, (terminal) =>
        Effect.flatMap(helpText(path.join(" "), command, root, terminal), (text) => Console.log(text))
      )
  }
}

/** What a misused command line is to a command that lists this exit status. */
const misused = 2

/** The exit status that an error asks for by an `exitCode` of its own. */
const exitCodeOf = (error: unknown): ExitCode => {
  if (error instanceof UsageError) return misused
  return Predicate.hasProperty(error, "exitCode") && typeof error.exitCode === "number" ? error.exitCode : 1
}

/**
 * Report a failure. The exit status is the error's if the command lists it, otherwise 1. Interrupted, it stays so.
 *
 * @param isJson whether an error of the command line or of a variable is printed as JSON, too; all others are by the
 * command
 */
const fail =
  (program: ProgramInfo, exitCodes: Command["exitCodes"], isJson: boolean) =>
  (cause: Cause.Cause<unknown>): Effect.Effect<ExitCode> => {
    if (Cause.isInterruptedOnly(cause)) return Effect.interrupt
    const error: unknown = Cause.squash(cause)
    if (error instanceof NonZeroExit) return Effect.succeed(error.status)
    const status = exitCodeOf(error)
    const message = program.messageOf(error)
    const isBefore = error instanceof UsageError || ConfigError.isConfigError(error)
    const json = isJson && isBefore ? program.jsonText?.({ error: message }) : undefined
    return reportError(error, message, program.printable).pipe(
      Effect.zipRight(json === undefined ? Effect.void : Console.log(json)),
      Effect.as(status in exitCodes ? status : 1)
    )
  }

const runCommand = (program: ProgramInfo, argv: ReadonlyArray<string>): Effect.Effect<ExitCode> => {
  const { root } = program
  const hasCommands = subcommandsOf(root).length > 0
  // Another way to write `COMMAND --help`.
  const args = hasCommands && argv[0] === "help" ? [...argv.filter((arg) => arg !== "help"), "--help"] : argv
  return Effect.flatMap(resolve({ path: [root.name], command: root, args }), (resolved) => {
    const [name, ...words] = resolved.path
    const help = hasCommands ? [name, "help", ...words] : [name, "--help"]
    return Effect.flatMap(directiveOf(resolved), (directive) => execute(directive, resolved, program)).pipe(
      Effect.mapError((error) =>
        error instanceof UsageError
          ? new UsageError({
              message: error.message,
              usage: usageOf(resolved.path.join(" "), resolved.command),
              hint: error.hint ?? help.join(" ")
            })
          : error
      ),
      Effect.as(0),
      Effect.catchAllCause(fail(program, resolved.command.exitCodes, resolved.command.asksForJson(resolved.args)))
    )
  })
}

/** Run by a program's own completion scripts: what can stand at the cursor. */
const completionCommand = "__complete"

const printCompletions = ({ root, values }: ProgramInfo, [shell = "", ...args]: ReadonlyArray<string>) =>
  Effect.promise(() =>
    Promise.all([import("./completion/Completion.ts"), import("./completion/Protocol.ts"), values?.()])
  ).pipe(
    Effect.flatMap(([{ complete }, { respond }, known]) => respond(shell, args, (line) => complete(root, line, known))),
    Effect.flatMap((text) => Console.log(text))
  )

/** Run a command line to its end, and report what went wrong. Interrupted, it stays so. */
export const run = (program: ProgramInfo, argv: ReadonlyArray<string>): Effect.Effect<ExitCode> =>
  argv[0] === completionCommand
    ? printCompletions(program, argv.slice(1)).pipe(Effect.as(0), Effect.catchAllCause(fail(program, {}, false)))
    : runCommand(program, argv)
