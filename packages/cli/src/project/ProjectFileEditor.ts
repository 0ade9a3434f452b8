import { readFileSync, realpathSync } from "node:fs"
import { InvalidRequest } from "@port-server/domain/CommonErrors"
import { projectFileName } from "@port-server/domain/Defaults"
import { ProjectFile } from "@port-server/domain/ProjectFile"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
import { cannotWrite } from "../errors/FileError.ts"
import * as AtomicFile from "../platform/AtomicFile.ts"
import * as JsonText from "../platform/JsonText.ts"
import type { Project } from "./ProjectFileLoader.ts"

const decode = Schema.decodeUnknown(Schema.parseJson(ProjectFile))

/** Change values of a project file and nothing else in it: its layout stays. */
export const edit = Effect.fnUntraced(function* ({ file }: Project, changes: ReadonlyArray<JsonText.Change>) {
  const before = yield* Effect.try({
    try: () => readFileSync(file, "utf8"),
    catch: (error) => CliError.make(cannotWrite(file, error))
  })
  const after = changes.reduce(JsonText.changed, before)
  const contents = yield* Effect.mapError(decode(after), (error) =>
    CliError.make(`${projectFileName} would be wrong: ${InvalidRequest.fromParseError(error).message}`)
  )
  if (after !== before) {
    yield* Effect.try({
      try: () => AtomicFile.replace(realpathSync(file), Buffer.from(after)),
      catch: (error) => CliError.make(cannotWrite(file, error))
    })
  }
  return contents
})
