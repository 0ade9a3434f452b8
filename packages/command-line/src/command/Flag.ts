import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import { InvalidRequest } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A flag that takes text, shown in the help as `--name PLACEHOLDER  description`. */
export const text = (name: string, placeholder: string, description: string): Options.Options<string> =>
  Options.text(name).pipe(Options.withPseudoName(placeholder), Options.withDescription(description))

// Shown in the usage of a flag that is a list, which is also how the parser knows one.
const more = ",..."

/**
 * A flag whose value is a list: `--name a,b`, or repeated, `--name a --name b`; its value has commas either way.
 *
 * @param item what one element of the list is
 */
export const list = (name: string, item: string, description: string): Options.Options<string> =>
  text(name, `${item}${more}`, description)

/** Whether the placeholder of a flag in its usage is one of {@link list}. */
export const isList = (placeholder: string): boolean => placeholder.includes(more)

/** Whether the placeholder of a flag in its usage stands for a number. */
export const isNumber = (placeholder: string): boolean => /^(PORT|ID)$/.test(placeholder)

/** A flag that is there or not. */
export const boolean = (name: string, description: string): Options.Options<boolean> =>
  Options.boolean(name).pipe(Options.withDescription(description))

/** Read the value of a flag with its schema; a bad value is an error of the command line, in the schema's sentence. */
export const reads =
  <A>(schema: Schema.Schema<A, string>) =>
  (option: Options.Options<string>): Options.Options<A> =>
    Options.mapEffect(option, (value) =>
      Effect.mapError(Schema.decode(schema)(value), (error) =>
        ValidationError.invalidValue(HelpDoc.p(InvalidRequest.fromParseError(error).message))
      )
    )

/** Words as a sentence lists them: `a, b or c`. */
export const either = (words: ReadonlyArray<string>): string => `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`

/** The words that the placeholder of a {@link choice} names; none of another flag's. */
export const wordsOf = (placeholder: string): ReadonlyArray<string> =>
  placeholder.includes("|") ? placeholder.split("|") : []

/** Said of a value that is none of a flag's few words. */
export const choiceSentence = (flag: string, words: ReadonlyArray<string>): string => `${flag} must be ${either(words)}`

/** A flag whose value is one of a few words, in its usage `--name a|b`, which is also how completion knows them. */
export const choice = <A extends string>(
  name: string,
  words: readonly [A, A, ...ReadonlyArray<A>],
  description: string
): Options.Options<A> => {
  const sentence = choiceSentence(`--${name}`, words)
  const word = Schema.Literal(...words).annotations({ message: () => ({ message: sentence, override: true }) })
  return text(name, words.join("|"), description).pipe(reads(Schema.compose(Schema.String, word)))
}
