import * as Args from "@effect/cli/Args"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** The kind of value that a parameter takes. */
export type Kind =
  | { readonly _tag: "Switch" | "Text" | "Number" | "File" | "Folder" }
  | { readonly _tag: "Choice"; readonly words: ReadonlyArray<string> }

/** What a flag or an argument is. The strict checks, the usage, the help and the completion are derived from it. */
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
  /** Of a parameter that takes one value: the command line that takes several, which the values end, `a,b`. */
  readonly forSeveral?: string
}

/** A flag or an argument: its {@link Spec}, and how @effect/cli reads its value. */
export type Parameter<A> = (Options.Options<A> | Args.Args<A>) & { readonly spec: Spec }

/** A {@link Parameter} of a spec that is read so. */
export const make = <A>(spec: Spec, parser: Options.Options<A> | Args.Args<A>): Parameter<A> =>
  Object.assign(parser, { spec })

/** Between the values of one parameter; no argument of a process can hold it. */
const separator = "\0"

/**
 * The values of a parameter as the one word that @effect/cli gets: it trims nothing between quotes, takes it for no flag,
 * and does not need the time that many words take it, which grows with their square.
 */
export const toWord = (values: ReadonlyArray<string>): string => `"${values.join(separator)}"`

const fromWord = (word: string): string => word.slice(1, -1)

/** A parameter of the same spec, but for `changes`, whose value is made of that of another one. */
const derive = <A, B>(
  parameter: Parameter<A>,
  fromOptions: (options: Options.Options<A>) => Options.Options<B>,
  fromArgs: (args: Args.Args<A>) => Args.Args<B>,
  changes?: Partial<Spec>
): Parameter<B> =>
  make({ ...parameter.spec, ...changes }, Options.isOptions(parameter) ? fromOptions(parameter) : fromArgs(parameter))

/** A parameter whose value is another one made of that. */
export const map =
  <A, B>(f: (value: A) => B) =>
  (parameter: Parameter<A>): Parameter<B> =>
    derive(parameter, Options.map(f), Args.map(f))

const wordOf = ({ name, position }: Pick<Spec, "name" | "position">) =>
  position === "flag" ? Options.text(name) : Args.text({ name })

/** A parameter that takes one value. */
export const one = (spec: Omit<Spec, "isRequired" | "isList">): Parameter<string> =>
  map(fromWord)(make({ ...spec, isRequired: true, isList: false }, wordOf(spec)))

/** A parameter that takes one value or more. */
export const several = (spec: Omit<Spec, "isRequired" | "isList">): Parameter<ReadonlyArray<string>> =>
  map((word: string) => fromWord(word).split(separator))(
    make({ ...spec, isRequired: true, isList: true }, wordOf(spec))
  )

/** Decode the value. A bad one is an error of the command line, with the message of the schema. */
export const withSchema =
  <A, I>(schema: Schema.Schema<A, I>) =>
  (parameter: Parameter<I>): Parameter<A> => {
    // Not withSchema of @effect/cli: that reports a bad value as a tree over several lines.
    const decode = (value: I) =>
      Effect.mapError(Schema.decode(schema)(value), (error) =>
        HelpDoc.p(ParseResult.ArrayFormatter.formatErrorSync(error)[0]?.message ?? error.message)
      )
    return derive(
      parameter,
      Options.mapEffect((value) => Effect.mapError(decode(value), ValidationError.invalidValue)),
      Args.mapEffect(decode)
    )
  }

const notRequired = { isRequired: false }

/** A parameter that may be left out. */
export const optional = <A>(parameter: Parameter<A>): Parameter<Option.Option<A>> =>
  derive(parameter, Options.optional, Args.optional, notRequired)

/** A parameter that may be left out; then it is `value`. */
export const withDefault =
  <A>(value: A) =>
  (parameter: Parameter<A>): Parameter<A> =>
    derive<A, A>(parameter, Options.withDefault(value), Args.withDefault(value), notRequired)
