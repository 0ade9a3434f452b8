import { writeFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { CliError } from "../errors/CliError.ts"
import { type Bytes, type Changes, corrections, descriptorVariable } from "./CommandEnvironment.ts"
import { problemOf } from "./CommandLookup.ts"

const quoted = (bytes: string): string => `'${bytes.replaceAll("'", "'\\''")}'`

/**
 * The commands by which the stub puts `env` and the corrected variables before the command. Its own words stay where
 * they are, in the arguments of the stub.
 */
const script = (command: string, words: number, inherited: Bytes, changes: Changes): string => {
  const { removed, set } = corrections(inherited, changes)
  const env = [
    "/usr/bin/env",
    ...removed.map((name) => `-u ${quoted(name)}`),
    "--",
    ...[...set].map(([name, value]) => quoted(`${name}=${value}`)),
    // For env, a word with = in it is one more variable.
    ...(command.includes("=") ? ["nice -n 0"] : [])
  ]
  return `shift ${words}\nset -- ${env.join(" ")} "$@"\n`
}

/**
 * Have the stub become the command, once this process has ended. A command that cannot be started is an error of this
 * process, with the statuses of a shell.
 */
export const handOver = Effect.fnUntraced(function* (
  [command = "", ...args]: ReadonlyArray<string>,
  inherited: Bytes,
  changes: Changes
) {
  const descriptor = Number(process.env[descriptorVariable] ?? "")
  if (descriptor === 0)
    return yield* CliError.make("portctl run needs the shell script bin/portctl, which becomes the command")
  const problem = problemOf(command, inherited)
  if (problem !== undefined) return yield* problem
  const words = process.argv.length - 2 - args.length - 1
  yield* Effect.try({
    try: () => writeFileSync(descriptor, Buffer.from(script(command, words, inherited, changes), "latin1")),
    catch: () => CliError.make("cannot write into the folder for temporary files (is the disk full?)")
  })
})
