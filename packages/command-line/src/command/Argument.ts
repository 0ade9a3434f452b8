import * as Parameter from "./Parameter.ts"

/** What the help shows of an argument; `name` stands for it in the usage. */
type Details = Pick<Parameter.Spec, "name" | "description" | "completes" | "forSeveral"> & {
  readonly kind?: Parameter.Kind
}

const spec = ({ kind = { _tag: "Text" }, ...details }: Details) =>
  ({ ...details, kind, position: "argument", placeholder: details.name }) as const

/** A word of the command line that is no flag. */
export const text = (details: Details): Parameter.Parameter<string> => Parameter.one(spec(details))

/** All the words that follow. */
export const list = (details: Details): Parameter.Parameter<ReadonlyArray<string>> => Parameter.several(spec(details))

/**
 * The command line of another program, as it stands: what follows `--`. Its command takes no other argument.
 *
 * @param isDirect it is everything that follows the command, without `--`
 * @param words what its first word can be, for completion
 */
export const passthrough = (
  placeholder: string,
  description: string,
  isDirect = false,
  words: ReadonlyArray<string> = []
): Parameter.Parameter<ReadonlyArray<string>> =>
  Parameter.several({
    position: "passthrough",
    name: "--",
    kind: words.length === 0 ? { _tag: "Text" } : { _tag: "Choice", words },
    placeholder,
    description,
    isDirect
  })
