import { lstatSync, statSync } from "node:fs"
import { basename } from "node:path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { cannotRead, codeOf } from "../errors/FileError.ts"
import * as BoundedFile from "./BoundedFile.ts"

/** The file is not JSON that can be used; `message` names the file and the place. */
export class JsonFileInvalid extends Data.TaggedError("JsonFileInvalid")<{ readonly message: string }> {}

const failed = (message: string) => new JsonFileInvalid({ message })

/** Largest file, in bytes: far more than one that a person writes. */
const maxSize = 1024 * 1024

/** The text of a file; `undefined` where there is none. */
const textOf = (file: string): Effect.Effect<string | undefined, JsonFileInvalid> =>
  Effect.suspend(() => {
    try {
      const status = statSync(file, { throwIfNoEntry: false })
      if (status === undefined) {
        // A link that leads nowhere is not there for most calls, and yet somebody's file.
        const isLink = lstatSync(file, { throwIfNoEntry: false }) !== undefined
        return isLink ? failed(cannotRead(file, { code: "ELOOP" })) : Effect.succeed(undefined)
      }
      if (status.isDirectory()) return failed(cannotRead(file, { code: "EISDIR" }))
      return Effect.succeed(
        new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(BoundedFile.read(file, maxSize))
      )
    } catch (error) {
      if (codeOf(error) === "ENOTDIR") return Effect.succeed(undefined)
      if (codeOf(error) === "ENOTFILE") return failed(`${file} is not a file`)
      if (codeOf(error) === "EFBIG") return failed(`${file} is larger than 1 MiB`)
      return codeOf(error) === "ERR_ENCODING_INVALID_ENCODED_DATA"
        ? failed(`${file} is not UTF-8 text`)
        : failed(cannotRead(file, error))
    }
  })

/** Whether a field of this name would be lost: JavaScript takes it for something else. */
export const isReservedKey = (name: string): boolean => name === "__proto__"

/** Error message for such a field in a file. */
export const reservedKeyMessage = (name: string, fileName: string): string =>
  `${JSON.stringify(name)} cannot be a name in ${fileName}`

/** Where a JSON text goes wrong: the character that `message` is about, counted from 0. */
const errorOffset = (text: string, message: string): number => {
  const [, position] = /at position (\d+)/.exec(message) ?? []
  if (position !== undefined) return Number(position)
  if (!message.startsWith("Unexpected token")) return text.length
  // Node does not give the place of a token: it is the last character of the shortest beginning that has this error.
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

/** Line and column of an offset: `3:5`. */
const placeOf = (text: string, offset: number): string => {
  const lines = text.slice(0, offset).split("\n")
  return `${lines.length}:${(lines.at(-1)?.length ?? 0) + 1}`
}

/** What is wrong with a JSON text, and in which line and column: `3:5 is not JSON: Unexpected token 'x'`. */
const notJson = (text: string, error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error)
  const reason = message.replace(/(, (\.\.\.)?"|( in JSON)? at position ).*$/s, "")
  return `${placeOf(text, errorOffset(text, message))} is not JSON: ${reason}`
}

/** How many keys a JSON text has: each has the only colon that is not in a string. */
const countKeys = (text: string): number => text.replace(/"(?:[^"\\]+|\\.)*"/g, "").split(":").length - 1

/** Refuse the text in which an object has a key twice, of which the parser keeps the last one. */
const refuseRepeated = (file: string, text: string) =>
  // Loaded only then: that takes milliseconds, and hardly any file has one.
  Effect.flatMap(
    Effect.promise(() => import("./RepeatedKey.ts")),
    (RepeatedKey) => {
      const { key = "", offset = 0 } = RepeatedKey.find(text) ?? {}
      const place = `${file}:${placeOf(text, offset)}`
      return failed(`${place} has the key ${JSON.stringify(key)} for the second time; keep one of them`)
    }
  )

const parse = (file: string, text: string): Effect.Effect<unknown, JsonFileInvalid> =>
  Effect.suspend(() => {
    if (text.startsWith("\uFEFF")) {
      return failed(`${file} starts with a byte order mark; save it as UTF-8 without one`)
    }
    let reserved: string | undefined
    let keys = 0
    try {
      const value: unknown = JSON.parse(text, (name, value: unknown) => {
        if (isReservedKey(name)) reserved = name
        if (Predicate.isRecord(value)) keys += Object.keys(value).length
        return value
      })
      if (reserved !== undefined) return failed(`${file}: ${reservedKeyMessage(reserved, basename(file))}`)
      return keys < countKeys(text) ? refuseRepeated(file, text) : Effect.succeed(value)
    } catch (error) {
      // The parser calls itself for each level.
      return failed(error instanceof RangeError ? `${file} is nested too deeply` : `${file}:${notJson(text, error)}`)
    }
  })

/** The value in a JSON file; `undefined` where there is no such file. */
export const read = (file: string): Effect.Effect<unknown, JsonFileInvalid> =>
  Effect.flatMap(textOf(file), (text) => (text === undefined ? Effect.succeed(undefined) : parse(file, text)))
