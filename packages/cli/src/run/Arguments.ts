import { readFileSync } from "node:fs"
import { fill } from "@port-server/domain/Placeholders"
import { toBytes, toText } from "./CommandEnvironment.ts"

/** A word of the command: one as it was given, by its place from 0, or a new one, as bytes. */
export type Word = number | string

/** Words that replace that many arguments of a program. */
export interface Splice {
  readonly at: number
  readonly replaced: number
  readonly words: ReadonlyArray<string>
}

/** The words of the command as bytes, one character each. Node replaces those of its own copy that are not UTF-8. */
const wordsAsBytes = (command: ReadonlyArray<string>): ReadonlyArray<string> => {
  try {
    const all = readFileSync("/proc/self/cmdline", "latin1").split("\0").slice(0, -1)
    const words = all.slice(-command.length)
    if (words.every((word, index) => toText(word) === command[index])) return words
  } catch {
    // Without /proc, below.
  }
  return command.map(toBytes)
}

/** The words of a command with its placeholders filled; the others stay where they are. */
export const filled = (command: ReadonlyArray<string>, values: ReadonlyMap<string, string>): ReadonlyArray<Word> => {
  // Most commands have none, and cost nothing.
  if (!command.some((word) => word.includes("{"))) return command.map((_, index) => index)
  const bytes = new Map([...values].map(([name, value]) => [toBytes(name), value] as const))
  return wordsAsBytes(command).map((word, index) => {
    // Where its bytes are lost, it is left alone.
    if (command[index] === undefined || (word === toBytes(command[index]) && command[index].includes("\ufffd")))
      return index
    const text = fill(word, bytes)
    return text === word ? index : text
  })
}

/** The words as text, to read what they mean. */
export const textsOf = (command: ReadonlyArray<string>, words: ReadonlyArray<Word>): ReadonlyArray<string> =>
  words.map((word) => (typeof word === "number" ? (command[word] ?? "") : toText(word)))

/** The words with that many of them replaced by others. */
export const spliced = (words: ReadonlyArray<Word>, { at, replaced, words: added }: Splice): ReadonlyArray<Word> => [
  ...words.slice(0, at),
  ...added.map(toBytes),
  ...words.slice(at + replaced)
]
