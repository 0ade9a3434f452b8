import { writeFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { CliError } from "../errors/CliError.ts"
import { textsOf, type Word } from "./Arguments.ts"
import { type Bytes, type Changes, corrections, descriptorVariable } from "./CommandEnvironment.ts"
import { problemOf } from "./CommandLookup.ts"

const quoted = (bytes: string): string => `'${bytes.replaceAll("'", "'\\''")}'`

/** The words of the command, of which those that stay are arguments of the stub. */
const wordsOf = (words: ReadonlyArray<Word>, given: number): string =>
  words.length === given && words.every((word, index) => word === index)
    ? '"$@"'
    : words.map((word) => (typeof word === "number" ? `"\${${word + 1}}"` : quoted(word))).join(" ")

/**
 * The commands by which the stub puts `env` and the corrected variables before the command. Words that do not change
 * stay where they are, in the arguments of the stub.
 */
const script = (command: string, words: string, before: number, inherited: Bytes, changes: Changes): string => {
  const { removed, set } = corrections(inherited, changes)
  const env = [
    "/usr/bin/env",
    ...removed.map((name) => `-u ${quoted(name)}`),
    "--",
    ...[...set].map(([name, value]) => quoted(`${name}=${value}`)),
    // For env, a word with = in it is one more variable.
    ...(command.includes("=") ? ["nice -n 0"] : [])
  ]
  return `shift ${before}\nset -- ${env.join(" ")} ${words}\n`
}

/**
 * Have the stub become the command, once this process has ended. A command that cannot be started is an error of this
 * process, with the statuses of a shell.
 */
export const handOver = Effect.fnUntraced(function* (
  given: ReadonlyArray<string>,
  words: ReadonlyArray<Word>,
  inherited: Bytes,
  changes: Changes
) {
  const descriptor = Number(process.env[descriptorVariable] ?? "")
  if (descriptor === 0)
    return yield* CliError.make("portctl run and compose need the shell script bin/portctl, which becomes the command")
  const [command = ""] = textsOf(given, words)
  const problem = problemOf(command, inherited)
  if (problem !== undefined) return yield* problem
  const before = process.argv.length - 2 - given.length
  yield* Effect.try({
    try: () =>
      writeFileSync(
        descriptor,
        Buffer.from(script(command, wordsOf(words, given.length), before, inherited, changes), "latin1")
      ),
    catch: () => CliError.make("cannot write into the folder for temporary files (is the disk full?)")
  })
})
