import * as NodeFs from "node:fs"
import { dirname, join } from "node:path"
import { InvalidRequest } from "@port-server/domain/Errors"
import { ProjectFile, projectFileName } from "@port-server/domain/ProjectFile"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { cannotRead, codeOf } from "./FileProblem.ts"
import * as Output from "./Output.ts"

const decode = Schema.decodeUnknown(ProjectFile)

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** A project file that was found. */
export interface Project {
  /** Its path. */
  readonly file: string
  /** The folder that it is in. */
  readonly folder: string
  readonly contents: ProjectFile
}

/** The text of a file; `undefined` where there is none. */
const textOf = (file: string): Effect.Effect<string | undefined, Output.Failure> =>
  Effect.suspend(() => {
    try {
      // A pipe or a device would be waited for, without end.
      const status = NodeFs.statSync(file, { throwIfNoEntry: false })
      if (status === undefined) return Effect.succeed(undefined)
      if (!status.isFile() && !status.isDirectory()) return Output.failed(`${file} is not a file`)
      return Effect.succeed(utf8.decode(NodeFs.readFileSync(file)))
    } catch (error) {
      if (codeOf(error) === "ENOTDIR") return Effect.succeed(undefined)
      return codeOf(error) === "ERR_ENCODING_INVALID_ENCODED_DATA"
        ? Output.failed(`${file} is not UTF-8 text`)
        : Output.failed(cannotRead(file, error))
    }
  })

const parse = (file: string, text: string): Effect.Effect<unknown, Output.Failure> =>
  text.startsWith("\uFEFF")
    ? Output.failed(`${file} starts with a byte order mark; save it as UTF-8 without one`)
    : Effect.try({
        try: (): unknown => JSON.parse(text),
        catch: (error) => Output.failed(`${file} is not JSON: ${error instanceof Error ? error.message : error}`)
      })

/** The project file of a folder, or of the nearest folder above it that has one. */
export const find: (folder: string) => Effect.Effect<Project | undefined, Output.Failure> = Effect.fnUntraced(
  function* (start) {
    for (let folder = start; ; folder = dirname(folder)) {
      const file = join(folder, projectFileName)
      const text = yield* textOf(file)
      if (text !== undefined) {
        const contents = yield* Effect.mapError(Effect.flatMap(parse(file, text), decode), (error) =>
          error instanceof Output.Failure
            ? error
            : Output.failed(`${file}: ${InvalidRequest.fromParseError(error).message}`)
        )
        return { file, folder, contents }
      }
      if (dirname(folder) === folder) return undefined
    }
  }
)
