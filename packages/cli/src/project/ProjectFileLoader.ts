import * as NodeFs from "node:fs"
import { dirname, join } from "node:path"
import { InvalidRequest } from "@port-server/domain/Errors"
import { ProjectFile, projectFileName } from "@port-server/domain/ProjectFile"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
import { cannotRead, codeOf } from "../errors/FileError.ts"

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
const textOf = (file: string): Effect.Effect<string | undefined, CliError> =>
  Effect.suspend(() => {
    try {
      // A pipe or a device would be waited for, without end.
      const status = NodeFs.statSync(file, { throwIfNoEntry: false })
      if (status === undefined) {
        // A link that leads nowhere is not there for most calls, and yet somebody's project file.
        const isLink = NodeFs.lstatSync(file, { throwIfNoEntry: false }) !== undefined
        return isLink ? CliError.make(cannotRead(file, { code: "ELOOP" })) : Effect.succeed(undefined)
      }
      if (!status.isFile() && !status.isDirectory()) return CliError.make(`${file} is not a file`)
      return Effect.succeed(utf8.decode(NodeFs.readFileSync(file)))
    } catch (error) {
      if (codeOf(error) === "ENOTDIR") return Effect.succeed(undefined)
      return codeOf(error) === "ERR_ENCODING_INVALID_ENCODED_DATA"
        ? CliError.make(`${file} is not UTF-8 text`)
        : CliError.make(cannotRead(file, error))
    }
  })

/** Whether a field of this name would be lost: JavaScript takes it for something else. */
export const isReservedKey = (name: string): boolean => name === "__proto__"

/** Why there can be no such field. */
export const reservedKeyMessage = (name: string): string =>
  `${JSON.stringify(name)} cannot be a name in ${projectFileName}`

/** Where the text of a JSON document goes wrong: the character that `message` is about, counted from 0. */
const wrongAt = (text: string, message: string): number => {
  const [, position] = /at position (\d+)/.exec(message) ?? []
  if (position !== undefined) return Number(position)
  if (!message.startsWith("Unexpected token")) return text.length
  // Node does not tell the place of a token: it is the last character of the shortest beginning that has this error.
  const hasToken = (length: number): boolean => {
    try {
      JSON.parse(text.slice(0, length))
      return false
    } catch (error) {
      return error instanceof Error && error.message.startsWith("Unexpected token")
    }
  }
  let [without, including] = [0, text.length]
  while (including - without > 1) {
    const middle = Math.floor((without + including) / 2)
    if (hasToken(middle)) including = middle
    else without = middle
  }
  return without
}

/** What is wrong with the text of a JSON document, and in which line and column: `3:5 is not JSON: Unexpected token 'x'`. */
const notJson = (text: string, error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error)
  const lines = text.slice(0, wrongAt(text, message)).split("\n")
  const reason = message.replace(/(, (\.\.\.)?"|( in JSON)? at position ).*$/s, "")
  return `${lines.length}:${(lines.at(-1)?.length ?? 0) + 1} is not JSON: ${reason}`
}

const parse = (file: string, text: string): Effect.Effect<unknown, CliError> =>
  Effect.suspend(() => {
    if (text.startsWith("\uFEFF")) {
      return CliError.make(`${file} starts with a byte order mark; save it as UTF-8 without one`)
    }
    let strange: string | undefined
    try {
      const value: unknown = JSON.parse(text, (name, value: unknown) => {
        if (isReservedKey(name)) strange = name
        return value
      })
      return strange === undefined ? Effect.succeed(value) : CliError.make(`${file}: ${reservedKeyMessage(strange)}`)
    } catch (error) {
      return CliError.make(`${file}:${notJson(text, error)}`)
    }
  })

/** The project file of a folder, or of the nearest folder above it that has one. */
export const find: (folder: string) => Effect.Effect<Project | undefined, CliError> = Effect.fnUntraced(
  function* (start) {
    for (let folder = start; ; folder = dirname(folder)) {
      const file = join(folder, projectFileName)
      const text = yield* textOf(file)
      if (text !== undefined) {
        const contents = yield* Effect.mapError(Effect.flatMap(parse(file, text), decode), (error) =>
          error instanceof CliError ? error : CliError.make(`${file}: ${InvalidRequest.fromParseError(error).message}`)
        )
        return { file, folder, contents }
      }
      if (dirname(folder) === folder) return undefined
    }
  }
)
