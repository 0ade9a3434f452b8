import type { Spec } from "./Parameter.ts"
import { shellWord } from "./ShellWord.ts"

/** A command line that another program's one stands in without `--`, as it should be. */
export const withDashes = (path: string, own: ReadonlyArray<string>, other: ReadonlyArray<string>): string =>
  [path, ...own.map(shellWord), "--", ...other.map(shellWord)].join(" ")

/** Words that nobody means by a value. */
const answers = ["true", "false", "yes", "no"]

/**
 * The flag that was probably meant by words where none belong: one of their name, one that takes a number, one that has
 * such values already, or the first whose values are names.
 *
 * @param given the flags on the line, with their values
 */
export const meantFlag = (
  specs: ReadonlyArray<Spec>,
  given: ReadonlyMap<string, ReadonlyArray<string>>,
  words: ReadonlyArray<string>
): string | undefined => {
  const [word = "", next] = words
  if (answers.includes(word) || word.startsWith("-")) return undefined
  const flags = specs.filter(({ isList, name, position }) => position === "flag" && (isList || !given.has(name)))
  const named = flags.find(({ name }) => name === word)
  if (named !== undefined) {
    const value = named.kind._tag === "Switch" ? [] : [next === undefined ? named.placeholder : shellWord(next)]
    return [`--${word}`, ...value].join(" ")
  }
  const [, host, digits] = /^([\w.-]*:)?([0-9]+)$/.exec(word) ?? []
  if (digits !== undefined) {
    const [number] = flags
      .filter(({ kind, name }) => kind._tag === "Number" && (host === undefined || name === "port"))
      .sort((one, other) => Number(other.isRequired) - Number(one.isRequired))
    return number === undefined ? undefined : `--${number.name} ${digits}`
  }
  // Further words are further values of the arguments.
  if (specs.some(({ position }) => position === "argument")) return undefined
  const names = flags.filter(({ completes, kind }) => kind._tag === "Text" && completes !== undefined)
  const owners = ["app", "instance", "service"].map((kind) => names.find(({ completes }) => completes === kind))
  const parts = word.split("/")
  // As answers name them: shop/main/web.
  if (parts.length > 1 && !parts.includes("") && parts.every((_, index) => owners[index] !== undefined)) {
    return parts.map((part, index) => `--${owners[index]?.name} ${shellWord(part)}`).join(" ")
  }
  const here = specs.find(({ kind, name }) => kind._tag === "Switch" && name === "here")
  const last = names.at(-1)
  // What is one's own comes before what has that name anywhere.
  if (here !== undefined && last !== undefined && !["app", "instance", "service"].some((name) => given.has(name))) {
    return [...(given.has(here.name) ? [] : [`--${here.name}`]), `--${last.name} ${shellWord(words.join(","))}`].join(
      " "
    )
  }
  const flag = names.find(({ isList }) => isList) ?? names[0]
  if (flag === undefined) return undefined
  const values = flag.isList ? [...(given.get(flag.name) ?? []), ...words].join(",") : word
  return `--${flag.name} ${shellWord(values)}`
}

/** What is wrong with a word where none belongs. */
export const unexpected = (word: string): string =>
  `unexpected argument ${JSON.stringify(word)}${word.startsWith("-") ? ": options go before --" : ""}`

/** What is wrong with words that are too many, where no flag was meant by them. @param path the words of the command */
export const tooMany = (
  specs: ReadonlyArray<Spec>,
  given: ReadonlyMap<string, ReadonlyArray<string>>,
  [first = "", ...others]: ReadonlyArray<string>,
  path: string
): string => {
  const taken = specs.filter(({ position }) => position === "argument")
  const [{ forSeveral = undefined, name = "" } = {}] = taken
  if (taken.length === 0 || first.startsWith("-")) return unexpected(first)
  const line = forSeveral && `${forSeveral} ${shellWord([...(given.get(name) ?? []), first, ...others].join(","))}`
  const takes = taken.map(({ name }) => `one ${name}`).join(" and ")
  return `${unexpected(first)}: ${path} takes ${takes}${line === undefined ? "" : ` (several: ${line})`}`
}

/** The flag that was probably meant by a name that is no flag but one of the words which a flag takes. */
export const meantChoice = (specs: ReadonlyArray<Spec>, written: string): string | undefined => {
  const word = written.replace(/^-+/, "")
  const flag = specs.find(({ kind }) => kind._tag === "Choice" && kind.words.includes(word))
  return flag === undefined ? undefined : `--${flag.name} ${word}`
}

/** The values of arguments that were probably meant by `KEY=VALUE` for the one before the missing one. */
export const meantValues = (
  specs: ReadonlyArray<Spec>,
  given: ReadonlyMap<string, ReadonlyArray<string>>,
  missing: Spec
): string | undefined => {
  const words = specs.filter(({ position }) => position === "argument")
  const before = words[words.indexOf(missing) - 1]
  if (before?.kind._tag !== "Choice") return undefined
  const [, key = "", value = ""] = /^([^=]+)=(.+)$/s.exec(given.get(before.name)?.[0] ?? "") ?? []
  return before.kind.words.includes(key) ? [key, value].map(shellWord).join(" ") : undefined
}
