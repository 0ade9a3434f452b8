import * as Reactivity from "@effect/experimental/Reactivity"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DatabaseUnusable, fileId, unusable } from "./DatabaseFile.ts"
import type { ForeignDatabase } from "./Migrations.ts"
import { query, run } from "./Query.ts"
import * as SqliteDriver from "./SqliteDriver.ts"
import { openingReason } from "./SqliteError.ts"
import { whileLocked } from "./Transaction.ts"

/** How long SQLite itself waits for a lock, in ms: short, because it blocks the process. */
const busyTimeout = 20

/** Pages that a connection keeps in memory, in KiB: the driver's 16,000 stay with a process that once read everything. */
const cacheSize = 8_000

/**
 * Oldest SQLite without the WAL-reset bug, which could corrupt a database (https://sqlite.org/wal.html#walresetbug).
 */
const oldestSqlite = [3, 51, 3] as const

const pragmas = query(Schema.Struct({ synchronous: Schema.Int, journal_mode: Schema.String, version: Schema.String }))

interface Options {
  readonly readonly?: boolean
  /** Whether nobody else may have the database open. */
  readonly exclusive?: boolean
}

/** Open a connection that is closed with the scope. Waits while another process holds a lock. */
export const connect = Effect.fnUntraced(
  function* (filename: string, { exclusive = false, ...options }: Options = {}) {
    const SqliteClient = yield* SqliteDriver.load
    const sql = yield* SqliteClient.make({ filename, disableWAL: true, ...options }).pipe(
      // The driver's constructor throws inside an effect that cannot fail.
      Effect.catchAllDefect((cause) =>
        Effect.fail(SqliteDriver.toDriverUnusable(cause) ?? new SqlError({ cause, message: "Failed to open" }))
      )
    )
    const connection = yield* sql.reserve
    // Read when SQLite opens the file, which another pragma has it do.
    if (exclusive) yield* run(connection, "PRAGMA locking_mode = EXCLUSIVE")
    const pragmas = [
      `busy_timeout = ${busyTimeout}`,
      `cache_size = -${cacheSize}`,
      "foreign_keys = ON",
      "synchronous = FULL"
    ]
    yield* Effect.forEach(pragmas, (pragma) => run(connection, `PRAGMA ${pragma}`), { discard: true })
    return connection
  },
  whileLocked,
  Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make)
)

/** Asserts the settings that durability depends on. SQLite may change them until the connection has written. */
export const assertDurable = Effect.fnUntraced(function* (connection: Connection) {
  const [found] = yield* pragmas(
    connection,
    "SELECT synchronous, journal_mode, sqlite_version() AS version FROM pragma_synchronous, pragma_journal_mode"
  )
  const version = (found?.version ?? "").split(".").map(Number)
  const older = oldestSqlite.findIndex((part, index) => part !== version[index])
  if (older !== -1 && (version[older] ?? 0) < (oldestSqlite[older] ?? 0)) {
    return yield* Effect.dieMessage(`SQLite ${found?.version} is older than ${oldestSqlite.join(".")}`)
  }
  if (found?.synchronous !== 2 || found.journal_mode !== "wal") {
    return yield* Effect.dieMessage(`SQLite runs with ${JSON.stringify(found)}, not in WAL with synchronous=FULL`)
  }
})

/** Any error of opening as a {@link DatabaseUnusable}. */
export const toDatabaseUnusable =
  (filename: string) =>
  (error: SqlError | ForeignDatabase | DatabaseUnusable | SqliteDriver.DriverUnusable): DatabaseUnusable => {
    switch (error._tag) {
      case "DatabaseUnusable":
        return error
      case "DriverUnusable":
        return new DatabaseUnusable({ message: error.message })
      case "ForeignDatabase":
        return unusable(filename, `it ${error.message}`)
      case "SqlError":
        return unusable(filename, openingReason(error, filename))
    }
  }

/**
 * A connection to inspect a database with, which changes nothing: closing one that may write would merge a log that
 * another program left behind, and closing a read-only one would leave the log that it created itself.
 */
export const connectForInspection = (filename: string) =>
  connect(filename, { readonly: fileId(`${filename}-wal`) !== undefined })
