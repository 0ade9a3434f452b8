import { dirname, join } from "node:path"
import { ProjectFile } from "@port-server/domain/ProjectFile"
import { projectFileName } from "@port-server/domain/ServiceSettings"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
import { decodeSentence } from "../platform/DecodeSentence.ts"
import * as JsonFile from "../platform/JsonFile.ts"

const decode = Schema.decodeUnknown(ProjectFile)

/** A project file that was found. */
export interface Project {
  /** Its path. */
  readonly file: string
  /** The folder that it is in. */
  readonly folder: string
  readonly contents: ProjectFile
}

/** The project file in a folder, if there is one. */
const inFolder: (folder: string) => Effect.Effect<Project | undefined, CliError> = Effect.fnUntraced(
  function* (folder) {
    const file = join(folder, projectFileName)
    const value = yield* Effect.mapError(JsonFile.read(file), ({ message }) => CliError.make(message))
    if (value === undefined) return undefined
    const contents = yield* Effect.catchAll(decode(value), (error) =>
      Effect.flatMap(decodeSentence(error), (sentence) => CliError.make(`${file}: ${sentence}`))
    )
    return { file, folder, contents }
  }
)

/** The project file of a folder, or of the nearest folder above it that has one; none above `top`. */
export const find: (folder: string, top?: string) => Effect.Effect<Project | undefined, CliError> = Effect.fnUntraced(
  function* (start, top) {
    for (let folder = start; ; folder = dirname(folder)) {
      const project = yield* inFolder(folder)
      if (project !== undefined) return project
      if (folder === top || dirname(folder) === folder) return undefined
    }
  }
)

/** The project files above one, up to the folder `top`, from the nearest; those above a `root` do not count. */
export const above: (project: Project, top: string) => Effect.Effect<ReadonlyArray<Project>, CliError> =
  Effect.fnUntraced(function* (project, top) {
    const found: Array<Project> = []
    for (let last = project; last.folder !== top && last.contents.root !== true; ) {
      const next = yield* find(dirname(last.folder), top)
      if (next === undefined) break
      found.push(next)
      last = next
    }
    return found
  })
