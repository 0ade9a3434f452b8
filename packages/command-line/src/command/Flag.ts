import * as Options from "@effect/cli/Options"
import type * as Schema from "effect/Schema"
import * as Parameter from "./Parameter.ts"

export { map, optional, withDefault, withSchema } from "./Parameter.ts"

/** What the help shows of a flag: `--name PLACEHOLDER  description`. */
type Details = Pick<Parameter.Spec, "name" | "placeholder" | "description" | "variable" | "completes">

const position = "flag"

/** A flag that is given or not. */
export const boolean = (name: string, description: string): Parameter.Parameter<boolean> =>
  Parameter.make(
    { position, name, kind: { _tag: "Switch" }, placeholder: "", description, isRequired: false, isList: false },
    Options.boolean(name)
  )

/** A flag that takes text. */
export const text = (details: Details): Parameter.Parameter<string> =>
  Parameter.one({ ...details, position, kind: { _tag: "Text" } })

// Its digits go to the schema: @effect/cli would take 1e3 for an integer.
/** A flag that takes a number, which `schema` reads from its digits. */
export const number = <A>(details: Details, schema: Schema.Schema<A, string>): Parameter.Parameter<A> =>
  Parameter.withSchema(schema)(Parameter.one({ ...details, position, kind: { _tag: "Number" } }))

// Options.file asks the file system whether it is there, which is up to the command.
/** A flag that takes the path of a file. */
export const file = (details: Details): Parameter.Parameter<string> =>
  Parameter.one({ ...details, position, kind: { _tag: "File" } })

/** A flag whose value is a list: `--name a,b`, or repeated, `--name a --name b`. */
export const list = (details: Details): Parameter.Parameter<ReadonlyArray<string>> =>
  Parameter.several({ ...details, position, kind: { _tag: "Text" } })

/** Words as a sentence lists them: `a, b or c`. */
export const joinWithOr = (words: ReadonlyArray<string>): string =>
  `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`

/** A flag whose value is one of a few words. */
export const choice = <const A extends string>(
  name: string,
  words: readonly [A, A, ...ReadonlyArray<A>],
  description: string,
  placeholder = words.join("|")
): Parameter.Parameter<A> =>
  Parameter.make(
    { position, name, kind: { _tag: "Choice", words }, placeholder, description, isRequired: true, isList: false },
    Options.choiceWithValue(
      name,
      words.map((word): [string, A] => [Parameter.toWord([word]), word])
    )
  )

/** The flags that every command takes; @effect/cli brings them. */
export const builtIns: ReadonlyArray<Parameter.Spec> = [
  boolean("help", "Show this help"),
  boolean("version", "Show the version"),
  Parameter.optional(choice("completions", ["bash", "zsh", "fish"], "Print completions for bash, zsh or fish", "SHELL"))
].map(({ spec }) => spec)
