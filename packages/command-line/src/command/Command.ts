import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import { UsageError } from "../UsageError.ts"
import * as Arguments from "./Arguments.ts"
import { builtIns, type Shell } from "./Flag.ts"
import { type Parameter, type Spec, separator } from "./Parameter.ts"

/** A term and what it stands for, such as an environment variable. */
export type Definition = readonly [term: string, text: string]

/** What a command line asks of a command: to run, or one of the things that every command can do. */
export type Directive<R = never> =
  | { readonly _tag: "Run"; readonly run: Effect.Effect<void, unknown, R> }
  | { readonly _tag: "ShowHelp" }
  | { readonly _tag: "ShowVersion" }
  | { readonly _tag: "ShowCompletions"; readonly shell: Shell }

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

/** A command; the type of its parsed parameters is hidden. */
export interface Command<R = never> extends Required<Details> {
  readonly name: string
  readonly parameters: ReadonlyArray<Spec>
  /** Titles of the help, each with the subcommands below it. */
  readonly groups: Readonly<Record<string, ReadonlyArray<Subcommand<R>>>>
  readonly parse: (args: ReadonlyArray<string>) => Effect.Effect<Directive<R>, UsageError>
}

/** A command by its name, which is loaded when the command line names it. */
export interface Subcommand<R = never> {
  readonly name: string
  readonly load: Effect.Effect<Command<R>>
}

/** At least one: `Config.all` takes no empty record. */
type Parameters = Readonly<Record<string, Parameter<unknown>>>

/** The parsed parameters of a command. */
type Values<P extends Parameters> = Config.Config.Success<ReturnType<typeof Config.all<P>>>

const filled = ({ details = [], environment = [], examples = [], summary }: Details) => ({
  summary,
  details,
  examples,
  environment
})

const builtInConfig = Config.all(builtIns)

/** The flags that every command takes. */
export const builtInSpecs: ReadonlyArray<Spec> = Object.values(builtIns).map(({ spec }) => spec)

/** The message on the first parameter that has a bad value. */
const messageOf = (error: ConfigError): string =>
  error._op === "And" || error._op === "Or" ? messageOf(error.left) : error.message

/** What the arguments ask for; `run` is made of their values where it is the command's work. */
const parse = <R>(
  specs: ReadonlyArray<Spec>,
  args: ReadonlyArray<string>,
  run: (provider: ConfigProvider.ConfigProvider) => Effect.Effect<Directive<R>, ConfigError | UsageError>
): Effect.Effect<Directive<R>, UsageError> =>
  Effect.gen(function* () {
    if (Arguments.asksForHelp(specs, args)) return { _tag: "ShowHelp" } as const
    const given = yield* Either.mapLeft(
      Arguments.parse([...specs, ...builtInSpecs], args),
      (message) => new UsageError({ message })
    )
    const texts = new Map([...given].map(([name, values]) => [name, values.join(separator)]))
    const provider = ConfigProvider.fromMap(texts)
    const { completions, version } = yield* provider.load(builtInConfig)
    if (version) return { _tag: "ShowVersion" } as const
    if (Option.isSome(completions)) return { _tag: "ShowCompletions", shell: completions.value } as const
    return yield* run(provider)
  }).pipe(
    Effect.mapError((error) => (error._tag === "UsageError" ? error : new UsageError({ message: messageOf(error) })))
  )

/** A command with what it does. */
export const make = <const P extends Parameters, E, R>(
  name: string,
  {
    exitCodes,
    groups = {},
    parameters,
    ...details
  }: Details & { readonly parameters: P; readonly groups?: Command<NoInfer<R>>["groups"] },
  handler: (values: Values<P>) => Effect.Effect<void, E, R>
): Command<R> => {
  const specs = Object.values(parameters).map(({ spec }) => spec)
  return {
    name,
    ...filled(details),
    exitCodes: { 0: "Success", 1: "Failure; the reason is on stderr", ...exitCodes },
    parameters: specs,
    groups,
    parse: (args) =>
      parse(specs, args, (provider) =>
        Effect.map(provider.load(Config.all(parameters)), (values) => ({ _tag: "Run", run: handler(values) }))
      )
  }
}

/** All subcommands of a command. */
export const subcommandsOf = <R>({ groups }: Command<R>): ReadonlyArray<Subcommand<R>> => Object.values(groups).flat()

/** A command that only has subcommands; `groups` are titles of its help, each with those below it. */
export const group = <R>(
  name: string,
  { groups, ...details }: Details & { readonly groups: Command<R>["groups"] }
): Command<R> => ({
  name,
  ...filled(details),
  exitCodes: {},
  parameters: [],
  groups,
  // A word that names no subcommand is reported by the program, which knows where it stands.
  parse: (args) => parse([], args, () => Effect.succeed({ _tag: "ShowHelp" }))
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
    parse: (args) =>
      Effect.map(command.parse(args), (directive) =>
        directive._tag === "Run" ? { ...directive, run: Effect.provide(directive.run, layer) } : directive
      )
  })
