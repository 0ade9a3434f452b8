import { SqlError } from "@effect/sql/SqlError"
import { describe, expect, it } from "@effect/vitest"
import { StorageFull, StorageUnavailable } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import { storageError } from "../../src/storage/SqliteError.ts"

const failed = (code: string) =>
  new SqlError({ cause: Object.assign(new Error("near line 1: INSERT INTO allocations"), { code }), message: "failed" })

describe("a statement that fails", () => {
  it.effect("with SQLITE_FULL is a full disk", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(storageError(failed("SQLITE_FULL")))
      expect(error).toBeInstanceOf(StorageFull)
      expect(error.message).toMatch(/disk is full/)
    })
  )

  for (const code of ["SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY", "SQLITE_LOCKED"]) {
    it.effect(`with ${code} is unavailable for now: try again after 1 s`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(storageError(failed(code)))
        expect(error).toMatchObject({ _tag: "StorageUnavailable", retryAfter: 1 })
        expect(error.message).toMatch(/locked/)
      })
    )
  }

  for (const [code, said] of [
    ["SQLITE_READONLY", /read-only/],
    ["SQLITE_READONLY_DBMOVED", /read-only/],
    ["SQLITE_CORRUPT", /damaged/],
    ["SQLITE_CORRUPT_INDEX", /damaged/],
    ["SQLITE_NOTADB", /not a SQLite database/],
    ["SQLITE_CANTOPEN", /cannot be opened/],
    ["SQLITE_IOERR_WRITE", /cannot be read or written/],
    ["SQLITE_IOERR_FSYNC", /cannot be read or written/]
  ] as const) {
    it.effect(`with ${code} is unavailable, and waiting does not help`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(storageError(failed(code)))
        expect(error).toBeInstanceOf(StorageUnavailable)
        expect(error).not.toHaveProperty("retryAfter")
        expect(error.message).toMatch(said)
      })
    )
  }

  for (const code of ["SQLITE_FULL", "SQLITE_BUSY", "SQLITE_CORRUPT", "SQLITE_IOERR"]) {
    it.effect(`with ${code} tells nobody its SQL`, () =>
      Effect.gen(function* () {
        const { message } = yield* Effect.flip(storageError(failed(code)))
        expect(message).not.toMatch(/INSERT|SQLITE_/)
      })
    )
  }

  for (const code of ["SQLITE_ERROR", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_NOTNULL", "SQLITE_MISUSE", ""]) {
    it.effect(`with ${code === "" ? "no code" : code} is a bug, and never taken for a state of the storage`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(storageError(failed(code)))
        expect(exit).toMatchObject({ _tag: "Failure", cause: { _tag: "Die" } })
      })
    )
  }
})
