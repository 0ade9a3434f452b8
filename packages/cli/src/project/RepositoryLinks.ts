import { lstatSync, readlinkSync, realpathSync } from "node:fs"
import { join, parse, resolve, sep } from "node:path"
import { markers } from "@port-server/domain/WorkingCopyMarkers"
import * as Effect from "effect/Effect"
import { CliError } from "../errors/CliError.ts"
import { cannotWrite } from "../errors/FileError.ts"
import * as GitLocation from "./GitLocation.ts"
import { isWithin } from "./ProjectFileLoader.ts"

/** Whether it is in a folder in which a version control system keeps what is its own. */
const isSystems = (path: string): boolean => path.split(sep).some((part) => markers.includes(part.toLowerCase()))

/** As many links as Linux follows in one path. */
const mostLinks = 40

/** What a path leads to, and the links on the way, also those behind the first one, each by its real path. */
const followed = (path: string): { readonly path: string; readonly links: ReadonlyArray<string> } => {
  const links: Array<string> = []
  let rest = resolve(path).split(sep).slice(1)
  let folder = parse(resolve(path)).root
  while (rest.length > 0 && links.length < mostLinks) {
    const [part = "", ...others] = rest
    const step = join(folder, part)
    if (lstatSync(step, { throwIfNoEntry: false })?.isSymbolicLink()) {
      links.push(step)
      const to = resolve(folder, readlinkSync(step))
      folder = parse(to).root
      rest = [...to.split(sep).slice(1), ...others]
    } else {
      folder = step
      rest = others
    }
  }
  return { path: folder, links }
}

/**
 * Refuse to write where a link leads that came with a repository: out of its working copy, or to the files of its version
 * control system. Other links are somebody's own; whether one of them leads out of the working copy.
 *
 * @param top the top of the working copy that the current folder is in, where it is in one
 */
export const refuseLedAway = Effect.fnUntraced(function* (file: string, top: string | undefined) {
  if (top === undefined) return false
  const real = realpathSync(top)
  const { links: all, path } = yield* Effect.try({
    try: () => followed(file),
    catch: (error) => CliError.make(cannotWrite(file, error))
  })
  const links = all.filter((link) => isWithin(link, real))
  const isLed = isWithin(path, real)
    ? links.length > 0 && isSystems(path)
    : yield* Effect.exists(links, GitLocation.tracksLink)
  if (!isLed) return links.length > 0 && !isWithin(path, real)
  return yield* CliError.make(`${file} leads to ${path} by a link of the repository; nothing was written`)
})
