import type { Connection } from "@effect/sql/SqlConnection"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as AllocationRow from "./AllocationRow.ts"
import { DatabaseUnusable, inspect, unusable } from "./DatabaseFile.ts"
import { isOutdated } from "./Migrations.ts"
import { query } from "./Query.ts"
import { connectForInspection, toDatabaseUnusable } from "./SqliteConnection.ts"

const findings = query(Schema.Struct({ integrity_check: Schema.String }))
const tables = query(Schema.Struct({ name: Schema.String }))
const counts = query(Schema.Struct({ count: Schema.Int }))

/** Most rows that a message names. */
const mostShown = 10

/** Fails if there are rows that cannot be read; returns how many there are. */
const checkRows = Effect.fnUntraced(function* (connection: Connection, filename: string) {
  const found = yield* tables(
    connection,
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('allocations', 'folders')"
  )
  const has = (table: string) => found.some(({ name }) => name === table)
  // The file is still empty.
  if (!has("allocations")) return 0
  const columns = has("folders") ? AllocationRow.columns : AllocationRow.columnsWithoutPath
  const unreadable = yield* AllocationRow.describeUnreadable(connection, columns)
  if (unreadable.length > 0) {
    const shown = unreadable.slice(0, mostShown).join(", ")
    const more = unreadable.length > mostShown ? ` and ${unreadable.length - mostShown} more` : ""
    return yield* new DatabaseUnusable({
      message: `the database ${filename} has rows that cannot be read: ${shown}${more}`
    })
  }
  const [row] = yield* counts(connection, "SELECT count(*) AS count FROM allocations")
  return row?.count ?? 0
})

/**
 * Run SQLite's integrity check (https://sqlite.org/pragma.html#pragma_integrity_check) and read every row, without
 * changing the database, which may be in use. Returns a sentence; fails with `DatabaseUnusable` and the reason.
 */
export const integrityCheck = Effect.fnUntraced(function* (filename: string) {
  if (!(yield* inspect(filename))) return yield* unusable(filename, "there is no such file")
  return yield* Effect.gen(function* () {
    const connection = yield* connectForInspection(filename)
    yield* isOutdated(connection)
    const [first, ...others] = yield* findings(connection, "PRAGMA integrity_check")
    if (first?.integrity_check !== "ok") {
      const more = others.length === 0 ? "" : ` (and ${others.length} more)`
      return yield* unusable(filename, `it is damaged: ${first?.integrity_check}${more}`)
    }
    return `the database ${filename} is sound: ${yield* checkRows(connection, filename)} allocation(s)`
  }).pipe(Effect.mapError(toDatabaseUnusable(filename)), Effect.scoped)
})
