import { statfsSync } from "node:fs"
import { dirname } from "node:path"
import { SqlError } from "@effect/sql/SqlError"
import { type StorageError, StorageFull, StorageUnavailable } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"

/** SQLite's result code in an error of the driver, such as `SQLITE_BUSY`. */
export const sqliteCode = (error: unknown): string | undefined => {
  const cause = error instanceof SqlError ? error.cause : error
  return Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : undefined
}

/** Whether the error is a lock of another connection, which may be released. */
export const isLocked = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error) ?? "")

/** Causes that a person can fix, by result code (https://sqlite.org/rescode.html); each completes "the database …". */
const fixable: ReadonlyArray<readonly [RegExp, string]> = [
  [/^SQLITE_READONLY/, "is read-only"],
  [/^SQLITE_(CORRUPT|NOTADB)/, "is damaged or is not a SQLite database"],
  [/^SQLITE_(CANTOPEN|PERM|AUTH)/, "cannot be opened"],
  [/^SQLITE_(IOERR|PROTOCOL|NOLFS)/, "cannot be read or written"]
]

/** Why the database cannot be used, completing "the database …"; undefined if the error has another cause. */
export const stateOf = (error: unknown): string | undefined => {
  const code = sqliteCode(error)
  if (code === undefined) return undefined
  if (code.startsWith("SQLITE_FULL")) return "has no room: the disk is full"
  if (isLocked(error)) return "is locked by another program"
  return fixable.find(([pattern]) => pattern.test(code))?.[1]
}

/** The typed error of a failed statement. An error that only a bug can cause is a defect. */
export const storageError = (error: SqlError): Effect.Effect<never, StorageError> => {
  // Wrapped only to roll the transaction back.
  if (error.cause instanceof StorageUnavailable) return error.cause
  const state = stateOf(error)
  if (state === undefined) return Effect.die(error)
  const message = `the database ${state}`
  if (sqliteCode(error)?.startsWith("SQLITE_FULL")) return new StorageFull({ message })
  return new StorageUnavailable({ message, ...(isLocked(error) ? { retryAfter: 1 } : {}) })
}

/** Whether no more can be written beside the file; SQLite does not tell it of the shared memory that it makes there. */
const isFull = (filename: string): boolean => {
  try {
    return statfsSync(dirname(filename)).bavail === 0
  } catch {
    return false
  }
}

/** Why the database at the path cannot be opened, as the rest of a sentence. */
export const openingReason = (error: SqlError, filename: string): string => {
  if (sqliteCode(error)?.startsWith("SQLITE_IOERR_SHM") && isFull(filename)) return "it has no room: the disk is full"
  const state = stateOf(error)
  if (state !== undefined) return `it ${state}`
  // Its schema is not the one that these statements are for.
  if (/^SQLITE_(ERROR|SCHEMA|CONSTRAINT|MISMATCH)/.test(sqliteCode(error) ?? "")) return "it belongs to another program"
  return error.cause instanceof Error ? error.cause.message : error.message
}
