import * as AutoCorrect from "@effect/cli/AutoCorrect"
import * as CliConfig from "@effect/cli/CliConfig"

/** Longer than any name there is; nothing longer is compared. */
const longest = 40

/** Whether two words are the same but for two neighbouring letters. */
const isSwapped = (one: string, other: string): boolean => {
  const at = [...one].findIndex((letter, index) => letter !== other[index])
  return at !== -1 && one.slice(0, at) + (one[at + 1] ?? "") + one[at] + one.slice(at + 2) === other
}

/** How far a word is from a name: a swap is one edit, and a beginning less than that. */
const distance = (word: string, name: string): number => {
  if (name.startsWith(word)) return 0.5
  return isSwapped(word, name) ? 1 : AutoCorrect.levensteinDistance(word, name, CliConfig.defaultConfig)
}

/** The name that was probably meant: one that the word begins, or that is one edit away, of a longer word two. */
export const suggest = (word: string, names: Iterable<string>): string | undefined => {
  const letters = word.replace(/^-+/, "")
  if (letters.length < 2 || word.length > longest) return undefined
  const most = letters.length < 5 ? 1 : 2
  const [best] = [...names]
    .map((name) => ({ name, edits: distance(word, name) }))
    .filter(({ edits }) => edits <= most)
    .sort((left, right) => left.edits - right.edits)
  return best?.name
}
