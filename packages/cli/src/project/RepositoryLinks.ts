import { lstatSync } from "node:fs"
import { join, relative, resolve, sep } from "node:path"
import * as Effect from "effect/Effect"
import { CliError } from "../errors/CliError.ts"
import * as GitLocation from "./GitLocation.ts"
import { isWithin } from "./ProjectFileLoader.ts"

const isInGit = (path: string): boolean => path.split(sep).includes(".git")

/** The links that a path in a folder goes through. */
const linksIn = (path: string, folder: string): ReadonlyArray<string> => {
  const parts = relative(folder, path).split(sep)
  const steps = parts.map((_, index) => join(folder, ...parts.slice(0, index + 1)))
  return steps.filter((step) => lstatSync(step, { throwIfNoEntry: false })?.isSymbolicLink())
}

/**
 * Refuse to write where a link leads that came with a repository: out of its working copy, or to git's own files. Other
 * links are somebody's own.
 *
 * @param path what the file leads to
 * @param top the top of the working copy that the current folder is in, where it is in one
 */
export const refuseLedAway = Effect.fnUntraced(function* (file: string, path: string, top: string | undefined) {
  const asked = resolve(file)
  if (top === undefined || !isWithin(asked, top)) return
  const isLed = isWithin(path, top)
    ? isInGit(path) && !isInGit(asked)
    : yield* GitLocation.tracksAny(top, linksIn(asked, top))
  if (!isLed) return
  return yield* CliError.make(
    `${file} is a link that leads to ${path}; nothing was written: --write ${path} writes there on purpose`
  )
})
