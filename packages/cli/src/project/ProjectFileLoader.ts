import { dirname, join } from "node:path"
import { InvalidRequest } from "@port-server/domain/Errors"
import { ProjectFile } from "@port-server/domain/ProjectFile"
import { projectFileName } from "@port-server/domain/ServiceSettings"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
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

/** The project file of a folder, or of the nearest folder above it that has one. */
export const find: (folder: string) => Effect.Effect<Project | undefined, CliError> = Effect.fnUntraced(
  function* (start) {
    for (let folder = start; ; folder = dirname(folder)) {
      const file = join(folder, projectFileName)
      const value = yield* Effect.mapError(JsonFile.read(file), ({ message }) => CliError.make(message))
      if (value !== undefined) {
        const contents = yield* Effect.mapError(decode(value), (error) =>
          CliError.make(`${file}: ${InvalidRequest.fromParseError(error).message}`)
        )
        return { file, folder, contents }
      }
      if (dirname(folder) === folder) return undefined
    }
  }
)
