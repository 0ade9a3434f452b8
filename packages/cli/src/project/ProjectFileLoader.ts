import { statSync } from "node:fs"
import { dirname, join, relative, sep } from "node:path"
import { projectFileName } from "@port-server/domain/Defaults"
import { escapeControls } from "@port-server/domain/Name"
import { ProjectFile } from "@port-server/domain/ProjectFile"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
import { decodeSentence } from "../platform/DecodeSentence.ts"
import * as JsonFile from "../platform/JsonFile.ts"
import { attempt } from "../platform/Process.ts"
import { isOwnUid } from "../platform/User.ts"

const decode = Schema.decodeUnknown(ProjectFile)

/** A project file that was found. */
export interface Project {
  /** Its path. */
  readonly file: string
  /** The folder that it is in. */
  readonly folder: string
  readonly contents: ProjectFile
}

/** Whether a folder is another one or below it. */
export const isWithin = (folder: string, other: string): boolean => {
  const way = relative(other, folder)
  return way !== ".." && !way.startsWith(`..${sep}`)
}

/** Whether a file is there and is neither this user's nor the system's. */
const isOfAnother = (file: string): boolean => {
  const owner = attempt(() => statSync(file).uid)
  return owner !== undefined && owner !== 0 && !isOwnUid(owner)
}

/**
 * The project file in a folder, if there is one.
 *
 * @param own outside of this folder, such as in /tmp, a file of another user does not count
 */
const inFolder: (folder: string, own: string) => Effect.Effect<Project | undefined, CliError> = Effect.fnUntraced(
  function* (folder, own) {
    const file = join(folder, projectFileName)
    if (!isWithin(folder, own) && isOfAnother(file)) {
      yield* Console.error(`note: ${escapeControls(file)} is another user's, and is not used`)
      return undefined
    }
    const value = yield* Effect.mapError(JsonFile.read(file), ({ message }) => CliError.make(message))
    if (value === undefined) return undefined
    const contents = yield* Effect.catchAll(decode(value), (error) =>
      Effect.flatMap(decodeSentence(error), (sentence) => CliError.make(`${file}: ${sentence}`))
    )
    return { file, folder, contents }
  }
)

/**
 * The project file of a folder, or of the nearest folder above it that has one; none above `top`.
 *
 * @param own the top of the working copy that the folder is in, or the folder itself
 */
export const find: (folder: string, own: string, top?: string) => Effect.Effect<Project | undefined, CliError> =
  Effect.fnUntraced(function* (start, own, top) {
    for (let folder = start; ; folder = dirname(folder)) {
      const project = yield* inFolder(folder, own)
      if (project !== undefined) return project
      if (folder === top || dirname(folder) === folder) return undefined
    }
  })

/** The project files above one, up to the folder `top`, from the nearest; those above a `root` do not count. */
export const above: (project: Project, top: string) => Effect.Effect<ReadonlyArray<Project>, CliError> =
  Effect.fnUntraced(function* (project, top) {
    const found: Array<Project> = []
    for (let last = project; last.folder !== top && last.contents.root !== true; ) {
      const next = yield* find(dirname(last.folder), top, top)
      if (next === undefined) break
      found.push(next)
      last = next
    }
    return found
  })
