import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"
import type * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** The kind of value that a parameter takes. */
export type Kind =
  | { readonly _tag: "Switch" | "Text" | "Number" | "File" | "Folder" }
  | { readonly _tag: "Choice"; readonly words: ReadonlyArray<string> }

/** What a flag or an argument is. The parser, the usage, the help and the completion are derived from it. */
export interface Spec {
  /** `passthrough`: what another program gets, all after `--`, or all there is where `isDirect`. */
  readonly position: "flag" | "argument" | "passthrough"
  /** Of a flag without its dashes. */
  readonly name: string
  readonly kind: Kind
  readonly placeholder: string
  readonly description: string
  readonly isRequired: boolean
  readonly isList: boolean
  readonly isDirect?: boolean
  /** The environment variable that counts where the flag is not given. */
  readonly variable?: string
  /** Which values only the program can complete, by the name that its completion knows them under. */
  readonly completes?: string
}

/** A flag or an argument: its {@link Spec}, and how its value is read from what the command line gives under its name. */
export interface Parameter<A> extends Config.Config<A> {
  readonly spec: Spec
}

/** Between the values of one parameter; no argument of a process can hold it. */
export const separator = "\0"

/** A {@link Parameter} of a spec that reads its values so. */
export const make = <A>(spec: Spec, config: Config.Config<A>): Parameter<A> => Object.assign(config, { spec })

/** A parameter that takes one value. */
export const one = (spec: Omit<Spec, "isRequired" | "isList">): Parameter<string> =>
  make({ ...spec, isRequired: true, isList: false }, Config.string(spec.name))

/** A parameter that takes one value or more. */
export const several = (spec: Omit<Spec, "isRequired" | "isList">): Parameter<ReadonlyArray<string>> =>
  make(
    { ...spec, isRequired: true, isList: true },
    Config.map(Config.string(spec.name), (text) => text.split(separator))
  )

/** A parameter whose value is another one made of that. */
export const map =
  <A, B>(f: (value: A) => B) =>
  (parameter: Parameter<A>): Parameter<B> =>
    make(parameter.spec, Config.map(parameter, f))

/** Decode the value. A bad one is an error of the command line, with the message of the schema. */
export const withSchema =
  <A, I>(schema: Schema.Schema<A, I>) =>
  (parameter: Parameter<I>): Parameter<A> =>
    make(
      parameter.spec,
      Config.mapOrFail(parameter, (value) =>
        Either.mapLeft(Schema.decodeEither(schema)(value), (error) =>
          ConfigError.InvalidData([], ParseResult.ArrayFormatter.formatErrorSync(error)[0]?.message ?? error.message)
        )
      )
    )

/** A parameter that may be left out. */
export const optional = <A>(parameter: Parameter<A>): Parameter<Option.Option<A>> =>
  make({ ...parameter.spec, isRequired: false }, Config.option(parameter))

/** A parameter that may be left out; then it is `value`. */
export const withDefault =
  <A>(value: A) =>
  (parameter: Parameter<A>): Parameter<A> =>
    make({ ...parameter.spec, isRequired: false }, Config.withDefault(parameter, value))
