import { rmSync, type Stats, statSync } from "node:fs"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { defaultDatabase } from "../runtime/DataFolder.ts"

/** The database cannot be opened; `message` is a sentence that names the file. */
export class DatabaseUnusable extends Schema.TaggedError<DatabaseUnusable>()("DatabaseUnusable", {
  message: Schema.String
}) {}

/** A {@link DatabaseUnusable} that names the file and the reason. */
export const unusable = (filename: string, reason: string): DatabaseUnusable =>
  new DatabaseUnusable({ message: `cannot open the database ${filename}: ${reason}` })

/** What is at a path, or undefined if it cannot be stat'ed. */
const at = (path: string): Stats | undefined => {
  try {
    // Synchronous, because every commit and every read waits for it. Opening the file here instead would drop SQLite's
    // locks (https://sqlite.org/howtocorrupt.html, section 2.2).
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

const idOf = (found: Stats | undefined): string | undefined =>
  found === undefined ? undefined : `${found.dev}:${found.ino}`

/** Device and inode of a path, or undefined if it cannot be stat'ed. */
export const fileId = (path: string): string | undefined => idOf(at(path))

/** The write-ahead log of a database. */
const logOf = (filename: string) => at(`${filename}-wal`)

/** The size of the write-ahead log, in bytes. */
export const walSize = (filename: string): number => logOf(filename)?.size ?? 0

/** The database file and its write-ahead log, which is part of it, by {@link fileId}. */
export interface FileIds {
  readonly database: string | undefined
  readonly log: string | undefined
}

export const currentFileIds = (filename: string): FileIds => ({
  database: fileId(filename),
  log: idOf(logOf(filename))
})

/** The size of the write-ahead log, in bytes, where the paths still lead to these files; undefined where they do not. */
export const walSizeOf = (filename: string, { database, log }: FileIds): number | undefined => {
  if (database === undefined || database !== fileId(filename)) return undefined
  const found = logOf(filename)
  return log === idOf(found) ? (found?.size ?? 0) : undefined
}

/**
 * Remove a write-ahead log that was left behind when its database file was moved: SQLite would take it for that of the
 * next file at the path (https://sqlite.org/howtocorrupt.html, section 1.4). One of another file is left alone.
 */
export const removeStaleWal = (filename: string, { database, log }: FileIds): void => {
  if (database === fileId(filename) || log === undefined || log !== idOf(logOf(filename))) return
  for (const suffix of ["-wal", "-shm"]) rmSync(`${filename}${suffix}`, { force: true })
}

const currentUser = process.getuid?.()

/** Fails if the path is a symbolic link to a missing file or to one of another user. */
export const refuseForeignLink = Effect.fnUntraced(function* (filename: string, path: string) {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* Effect.isSuccess(fs.readLink(path)))) return
  const target = yield* Effect.mapError(fs.stat(path), () =>
    unusable(filename, `${path} is a symbolic link that leads nowhere`)
  )
  if (currentUser !== undefined && !Option.contains(target.uid, currentUser)) {
    return yield* unusable(filename, `${path} is a symbolic link to what belongs to another user`)
  }
})

/** Inspect the database file without changing it; returns whether it exists. */
export const inspect = Effect.fnUntraced(function* (filename: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = path.dirname(filename)
  const { type } = yield* Effect.mapError(fs.stat(folder), () =>
    unusable(filename, `the folder ${folder} does not exist`)
  )
  if (type !== "Directory") return yield* unusable(filename, `${folder} is not a folder`)
  yield* refuseForeignLink(filename, filename)
  if (!(yield* Effect.orElseSucceed(fs.exists(filename), () => true))) return false
  const file = yield* Effect.mapError(fs.stat(filename), () => unusable(filename, "it cannot be read"))
  if (file.type !== "File") return yield* unusable(filename, "it is not a file")
  return true
})

/** Create the database file where it is missing, readable only by its owner; returns whether it was. */
export const prepare = Effect.fnUntraced(function* (filename: string) {
  if (yield* inspect(filename)) return false
  const fs = yield* FileSystem.FileSystem
  return yield* fs.writeFile(filename, new Uint8Array(), { flag: "wx", mode: 0o600 }).pipe(
    Effect.as(true),
    Effect.catchIf(
      (error) => error._tag === "SystemError" && error.reason === "AlreadyExists",
      () => Effect.succeed(false)
    ),
    Effect.mapError(() => unusable(filename, "no file can be made in its folder"))
  )
})

/**
 * Let only its owner read a database that an older program left open to others in the data folder. A new one is made
 * so, and the mode of one elsewhere, or that a link leads to, is its owner's choice.
 */
export const restrictPermissions = Effect.fnUntraced(function* (filename: string) {
  if (filename !== defaultDatabase()) return
  const fs = yield* FileSystem.FileSystem
  if (yield* Effect.isSuccess(fs.readLink(filename))) return
  yield* Effect.forEach([filename, `${filename}-wal`, `${filename}-shm`], (file) =>
    Effect.ignore(fs.chmod(file, 0o600))
  )
})
