import * as AutoCorrect from "@effect/cli/AutoCorrect"
import * as CliConfig from "@effect/cli/CliConfig"

/** Longer than any name there is; nothing longer is compared. */
const longest = 40

/** The name that was probably meant: one that the word begins, or that is at most two edits away. */
export const suggest = (word: string, names: Iterable<string>): string | undefined => {
  const letters = word.replace(/^-+/, "")
  if (letters.length < 2 || word.length > longest) return undefined
  const [best] = [...names]
    .map((name) => ({
      name,
      edits: name.startsWith(word) ? 0.5 : AutoCorrect.levensteinDistance(word, name, CliConfig.defaultConfig)
    }))
    .filter(({ edits }) => edits <= Math.min(2, letters.length / 2))
    .sort((left, right) => left.edits - right.edits)
  return best?.name
}
