import * as Cli from "@effect/cli/Command"
import * as Descriptor from "@effect/cli/CommandDescriptor"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Record from "effect/Record"
import type * as Types from "effect/Types"
import type { Parameter, Spec } from "./Parameter.ts"

/** A term and what it stands for, such as an environment variable. */
export type Definition = readonly [term: string, text: string]

/** What the help shows of a command. */
export interface Details {
  /** What it does, in one line. */
  readonly summary: string
  /** A line or more each; long ones are wrapped. */
  readonly details?: ReadonlyArray<string>
  readonly examples?: ReadonlyArray<string>
  /** The exit statuses that mean more than 0 for done and 1 for failed. */
  readonly exitCodes?: Readonly<Record<number, string>>
  /** The environment variables that matter to it, besides those of its flags and of the whole program. */
  readonly environment?: ReadonlyArray<Definition>
}

/** What a word that names no subcommand, and the next one, probably mean, as the program's command line goes on. */
type Meant = (word: string, next: string | undefined) => string | undefined

/** Whether the arguments ask for JSON, in which an error is printed on stdout, too. */
type AsksForJson = (args: ReadonlyArray<string>) => boolean

const hasJsonFlag: AsksForJson = (args) => {
  const flag = args.indexOf("--json")
  return flag !== -1 && !args.slice(0, flag).includes("--")
}

/** A command; the type of its parsed parameters is hidden. */
export interface Command<R = never> extends Required<Details> {
  readonly name: string
  readonly parameters: ReadonlyArray<Spec>
  readonly asksForJson: AsksForJson
  /** Titles of the help, each with the subcommands below it. */
  readonly groups: Readonly<Record<string, ReadonlyArray<Subcommand<R>>>>
  readonly meant?: Meant
  /** What @effect/cli parses, for the command's work. */
  readonly descriptor: Descriptor.Command<Effect.Effect<void, unknown, R>>
}

/** A command by its name, which is loaded when the command line names it. */
export interface Subcommand<R = never> {
  readonly name: string
  readonly load: Effect.Effect<Command<R>>
}

type Parameters = Readonly<Record<string, Parameter<unknown>>>

/** The values of parameters. */
export type Values<P extends Parameters> = Types.Simplify<Cli.Command.ParseConfig<P>>

const filled = ({ details = [], environment = [], examples = [], summary }: Details) => ({
  summary,
  details,
  examples,
  environment
})

/**
 * A command with what it does. Without `asksForJson`, one that runs another program does not: there is nothing on stdout
 * but that program's output.
 */
export const make = <const P extends Parameters, E, R>(
  name: string,
  {
    asksForJson,
    exitCodes,
    groups = {},
    parameters,
    ...details
  }: Details & {
    readonly parameters: P
    readonly groups?: Command<NoInfer<R>>["groups"]
    readonly asksForJson?: AsksForJson
  },
  handler: (values: Values<P>) => Effect.Effect<void, E, R>
): Command<R> => {
  const { descriptor, handler: run } = Cli.make(name, parameters, handler)
  const specs = Object.values(parameters).map(({ spec }) => spec)
  const runsOther = specs.some(({ position }) => position === "passthrough")
  return {
    name,
    ...filled(details),
    exitCodes: { 0: "Success", 1: "Failure; the reason is on stderr", ...exitCodes },
    parameters: specs,
    asksForJson: asksForJson ?? (runsOther ? () => false : hasJsonFlag),
    groups,
    descriptor: Descriptor.map(descriptor, run)
  }
}

/** All subcommands of a command. */
export const subcommandsOf = <R>({ groups }: Command<R>): ReadonlyArray<Subcommand<R>> => Object.values(groups).flat()

/** A command that only has subcommands; `groups` are titles of its help, each with those below it. */
export const group = <R>(
  name: string,
  { groups, meant, ...details }: Details & { readonly groups: Command<R>["groups"]; readonly meant?: Meant }
): Command<R> => ({
  name,
  ...filled(details),
  exitCodes: {},
  parameters: [],
  asksForJson: hasJsonFlag,
  groups,
  ...(meant === undefined ? {} : { meant }),
  descriptor: Descriptor.map(Descriptor.make(name), () => Effect.void)
})

/** A command as a subcommand whose code is loaded already. */
export const loaded = <R>(command: Command<R>): Subcommand<R> => ({ name: command.name, load: Effect.succeed(command) })

/** A command whose work, and that of its subcommands, has what a layer builds. */
export const provide =
  <R, E>(layer: Layer.Layer<R, E>) =>
  (command: Command<R>): Command => ({
    ...command,
    groups: Record.map(command.groups, (subcommands) =>
      subcommands.map(({ load, name }) => ({ name, load: Effect.map(load, provide(layer)) }))
    ),
    descriptor: Descriptor.map(command.descriptor, Effect.provide(layer))
  })

/** A command that has, as its subcommands have, these exit statuses too. */
export const withExitCodes =
  (exitCodes: Command["exitCodes"]) =>
  <R>(command: Command<R>): Command<R> => ({
    ...command,
    exitCodes: { ...exitCodes, ...command.exitCodes },
    groups: Record.map(command.groups, (subcommands) =>
      subcommands.map(({ load, name }) => ({ name, load: Effect.map(load, withExitCodes(exitCodes)) }))
    )
  })
