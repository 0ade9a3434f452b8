import { SqlError } from "@effect/sql/SqlError"
import { type StorageError, StorageFull, StorageUnavailable } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"

/** SQLite's result code, such as `SQLITE_BUSY`, in an error of the driver; none for another error. */
export const sqliteCode = (error: unknown): string | undefined => {
  const cause = error instanceof SqlError ? error.cause : error
  return Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : undefined
}

/** Whether another connection holds a lock that waiting may see released. */
export const isLocked = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error) ?? "")

/**
 * What a person can mend, by the primary result code (https://sqlite.org/rescode.html): the sentence completes
 * "the database …".
 */
const mendable: ReadonlyArray<readonly [RegExp, string]> = [
  [/^SQLITE_READONLY/, "is read-only"],
  [/^SQLITE_(CORRUPT|NOTADB)/, "is damaged or is not a SQLite database"],
  [/^SQLITE_(CANTOPEN|PERM|AUTH)/, "cannot be opened"],
  [/^SQLITE_(IOERR|PROTOCOL|NOLFS)/, "cannot be read or written"]
]

/** How the database is unusable, completing "the database …"; none when the error is not about its state. */
export const stateOf = (error: unknown): string | undefined => {
  const code = sqliteCode(error)
  if (code === undefined) return undefined
  if (code.startsWith("SQLITE_FULL")) return "has no room: the disk is full"
  if (isLocked(error)) return "is locked by another program"
  return mendable.find(([pattern]) => pattern.test(code))?.[1]
}

/** A failed statement as the typed error of its cause. One that only a bug can cause is a defect. */
export const storageError = (error: SqlError): Effect.Effect<never, StorageError> => {
  // Found by this program, and reported as a failed statement so that the transaction is undone.
  if (error.cause instanceof StorageUnavailable) return error.cause
  const state = stateOf(error)
  if (state === undefined) return Effect.die(error)
  const message = `the database ${state}`
  if (sqliteCode(error)?.startsWith("SQLITE_FULL")) return new StorageFull({ message })
  return new StorageUnavailable({ message, ...(isLocked(error) ? { retryAfter: 1 } : {}) })
}

/** Why the database cannot be opened, as the rest of a sentence. */
export const openingReason = (error: SqlError): string => {
  const state = stateOf(error)
  if (state !== undefined) return `it ${state}`
  return error.cause instanceof Error ? error.cause.message : error.message
}
