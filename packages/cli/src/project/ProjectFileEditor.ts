import { readFileSync, realpathSync } from "node:fs"
import { InvalidRequest } from "@port-server/domain/CommonErrors"
import { ProjectFile } from "@port-server/domain/ProjectFile"
import { projectFileName } from "@port-server/domain/ServiceSettings"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { applyEdits, modify } from "jsonc-parser"
import { CliError } from "../errors/CliError.ts"
import { cannotWrite } from "../errors/FileError.ts"
import * as AtomicFile from "../platform/AtomicFile.ts"
import type { Project } from "./ProjectFileLoader.ts"

/** A value in the file that is set, or removed where it is `undefined`. */
export interface Change {
  readonly path: ReadonlyArray<string>
  readonly value: unknown
}

const decode = Schema.decodeUnknown(Schema.parseJson(ProjectFile))

/** How the lines of a file are indented; by two spaces where none is. */
export const indentationOf = (text: string) => {
  const [, indentation = "  "] = /^([ \t]+)\S/m.exec(text) ?? []
  return { insertSpaces: !indentation.startsWith("\t"), tabSize: indentation.startsWith("\t") ? 1 : indentation.length }
}

/** Change values of a project file and nothing else in it: its layout stays. */
export const edit = Effect.fnUntraced(function* ({ file }: Project, changes: ReadonlyArray<Change>) {
  const before = yield* Effect.try({
    try: () => readFileSync(file, "utf8"),
    catch: (error) => CliError.make(cannotWrite(file, error))
  })
  const formattingOptions = { ...indentationOf(before), eol: before.includes("\r\n") ? "\r\n" : "\n" }
  const after = changes.reduce(
    (text, { path, value }) => applyEdits(text, modify(text, [...path], value, { formattingOptions })),
    before
  )
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
