import type * as Command from "@effect/cli/Command"
import * as CommandDescriptor from "@effect/cli/CommandDescriptor"
import type { CommandDirective } from "@effect/cli/CommandDirective"
import type { ValidationError } from "@effect/cli/ValidationError"
import type { FileSystem } from "@effect/platform/FileSystem"
import type { Path } from "@effect/platform/Path"
import type { Terminal } from "@effect/platform/Terminal"
import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as NodePath from "@effect/platform-node-shared/NodePath"
import * as NodeRuntime from "@effect/platform-node-shared/NodeRuntime"
import * as NodeTerminal from "@effect/platform-node-shared/NodeTerminal"
import { sentenceOf } from "@port-server/domain/Environment"
import * as Cause from "effect/Cause"
import * as ConfigError from "effect/ConfigError"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as HelpText from "./HelpText.ts"

/** The command line asks for something that the program does not do; said with the command's usage. */
export class UsageError extends Schema.TaggedError<UsageError>()("UsageError", { message: Schema.String }) {}

/** The answer, already printed, is one that scripts should see as a failure: exit 1, nothing more to say. */
export class Negative extends Schema.TaggedError<Negative>()("Negative", {}) {}

/** What a command of a program may ask of the platform. */
export type Platform = FileSystem | Path | Terminal

const platform = Layer.mergeAll(NodeFileSystem.layer, NodePath.layer, NodeTerminal.layer)

/** The command that the arguments name: the program itself or one of its subcommands. */
const named = (root: HelpText.Descriptor, name: string, args: ReadonlyArray<string>) => {
  const [first = ""] = args
  const subcommand = HelpText.subcommandsOf(root).get(first)
  return subcommand === undefined
    ? { descriptor: root, parent: undefined, own: args }
    : { descriptor: subcommand, parent: name, own: args.slice(1) }
}

/** What is wrong with the flags as such, which @effect/cli's parser reads as values or reports as something else. */
const misuse = (usage: string, args: ReadonlyArray<string>): string | undefined => {
  const flags = new Map(
    [...usage.matchAll(/(--[a-z][a-z-]*)( [A-Za-z])?/g)].map(([, flag = "", value]) => [flag, value])
  )
  for (const builtIn of ["--help", "--version"]) flags.set(builtIn, undefined)
  flags.set("--completions", "SHELL")
  const seen = new Set<string>()
  for (let index = 0; index < args.length; index++) {
    const [flag = "", ...value] = (args[index] ?? "").split("=")
    if (flag === "--") return undefined
    if (!flag.startsWith("-")) continue
    if (!flags.has(flag)) return `unknown option ${flag}`
    if (seen.has(flag)) return `option ${flag} was given twice`
    seen.add(flag)
    if (flags.get(flag) === undefined) {
      if (value.length > 0) return `option ${flag} takes no value`
    } else if (value.length === 0) {
      const next = args[++index]
      if (next === undefined || flags.has(next.split("=")[0] ?? "")) return `option ${flag} needs a value`
    }
  }
  return undefined
}

/** The library's sentence on what is wrong, in one line. */
const sentence = ({ error }: ValidationError): string => {
  const text = HelpText.lines(error).join(" ")
  const missing = /^Expected to find option: '([^']+)'/.exec(text)
  if (missing !== null) return `option ${missing[1]} is required`
  const unknown = /^Received unknown argument: '(.*)'$/.exec(text)
  if (unknown !== null) return `unexpected argument ${JSON.stringify(unknown[1])}`
  return text
}

const messageOf = (error: unknown): string => {
  if (ConfigError.isConfigError(error)) return sentenceOf(error)
  return error instanceof Error ? error.message : String(error)
}

const complete = (root: HelpText.Descriptor, name: string, shell: "bash" | "fish" | "zsh") => {
  const script = {
    bash: CommandDescriptor.getBashCompletions,
    fish: CommandDescriptor.getFishCompletions,
    zsh: CommandDescriptor.getZshCompletions
  }[shell]
  return Effect.flatMap(script(root, name), (lines) => Console.log(lines.join("\n")))
}

/**
 * Run a program on its command line, and exit: 0 when it succeeded, 1 when not. The answer goes to stdout; an error is
 * one line `error: <sentence>` on stderr, with the usage after it when the command line is what is wrong.
 *
 * @param command the program: a command of @effect/cli, with or without subcommands
 * @param options `version` is what `--version` prints
 */
export const run = <Name extends string, E, A>(
  command: Command.Command<Name, Platform, E, A>,
  { name, version }: { readonly name: string; readonly version: string }
): void => {
  const args = process.argv.slice(2)
  const root: HelpText.Descriptor = command.descriptor
  const { descriptor, parent, own } = named(root, name, args)
  const usage = HelpText.usage(descriptor, parent)

  const isProgram = HelpText.subcommandsOf(descriptor).size > 0
  const [first] = own
  const wrong =
    own.includes("--help") || own.includes("-h")
      ? undefined
      : isProgram && first !== undefined && !first.startsWith("-")
        ? `unknown command ${JSON.stringify(first)} (${name} --help lists the commands)`
        : misuse(usage, own)
  const parse: Effect.Effect<CommandDirective<A>, UsageError, Platform> = wrong === undefined
    ? CommandDescriptor.parse(command.descriptor, [name, ...args], HelpText.config).pipe(
        Effect.mapError((error) => new UsageError({ message: sentence(error) }))
      )
    : new UsageError({ message: wrong })

  parse.pipe(
    Effect.flatMap((directive): Effect.Effect<void, E | UsageError, Platform> => {
      if (directive._tag === "UserDefined") {
        const [leftover] = directive.leftover
        if (leftover !== undefined)
          return new UsageError({ message: `unexpected argument ${JSON.stringify(leftover)}` })
        if (isProgram) return Console.log(HelpText.help(root))
        return command.transform(command.handler(directive.value), directive.value)
      }
      switch (directive.option._tag) {
        case "ShowVersion":
          return Console.log(version)
        case "ShowCompletions":
          return complete(root, name, directive.option.shellType)
        default:
          return Console.log(HelpText.help(descriptor, parent))
      }
    }),
    Effect.tapErrorCause((cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.void
      const error: unknown = Cause.squash(cause)
      if (error instanceof Negative) return Effect.void
      const line = Console.error(`error: ${messageOf(error)}`)
      return error instanceof UsageError ? Effect.zipRight(line, Console.error(`usage: ${usage}`)) : line
    }),
    Effect.provide(platform),
    NodeRuntime.runMain({ disableErrorReporting: true })
  )
}
