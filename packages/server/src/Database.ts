import * as Reactivity from "@effect/experimental/Reactivity"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isOutdated, migrate } from "./Migrations.ts"
import { query, run } from "./Query.ts"
import { ServerConfig } from "./ServerConfig.ts"
import { openingReason } from "./StorageFault.ts"
import { transaction, whileLocked } from "./Transaction.ts"

/** The database could not be opened at the start; `message` is a sentence that names the file. */
export class DatabaseUnusable extends Schema.TaggedError<DatabaseUnusable>()("DatabaseUnusable", {
  message: Schema.String
}) {}

const unusable = (filename: string, reason: string) =>
  new DatabaseUnusable({ message: `cannot open the database ${filename}: ${reason}` })

/** How long SQLite itself waits for a lock, in ms: short, because it waits with the whole process. */
const busyTimeout = 20

/**
 * Oldest SQLite without the WAL-reset bug, which could corrupt a database (https://sqlite.org/wal.html#walresetbug).
 */
const oldestSqlite = [3, 51, 3] as const

const settings = query(Schema.Struct({ synchronous: Schema.Int, journal_mode: Schema.String, version: Schema.String }))

/** A connection of its own for as long as the scope is open. Opening waits while another process holds a lock. */
const connect = (filename: string) =>
  SqliteClient.make({ filename, disableWAL: true }).pipe(
    // The driver's constructor throws inside an effect that cannot fail.
    Effect.catchAllDefect((cause) => Effect.fail(new SqlError({ cause, message: "Failed to open" }))),
    whileLocked,
    Effect.flatMap((sql) => sql.reserve),
    Effect.tap((connection) =>
      Effect.forEach(
        [`PRAGMA busy_timeout = ${busyTimeout}`, "PRAGMA foreign_keys = ON", "PRAGMA synchronous = FULL"],
        (pragma) => run(connection, pragma)
      )
    ),
    Effect.provide(Reactivity.layer)
  )

/** What the promises rest on: asserted once the connection has written, because SQLite may change it until then. */
const assertDurable = Effect.fnUntraced(function* (connection: Connection) {
  const [pragmas] = yield* settings(
    connection,
    "SELECT synchronous, journal_mode, sqlite_version() AS version FROM pragma_synchronous, pragma_journal_mode"
  )
  const version = (pragmas?.version ?? "").split(".").map(Number)
  const older = oldestSqlite.findIndex((part, index) => part !== version[index])
  if (older !== -1 && (version[older] ?? 0) < (oldestSqlite[older] ?? 0)) {
    return yield* Effect.dieMessage(`SQLite ${pragmas?.version} is older than ${oldestSqlite.join(".")}`)
  }
  if (pragmas?.synchronous !== 2 || pragmas.journal_mode !== "wal") {
    return yield* Effect.dieMessage(`SQLite runs with ${JSON.stringify(pragmas)}, not in WAL with synchronous=FULL`)
  }
})

/** Make the database file where it is missing. A file that is there is only looked at. */
const prepareFile = Effect.fnUntraced(function* (filename: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = path.dirname(filename)
  const { type } = yield* Effect.mapError(fs.stat(folder), () =>
    unusable(filename, `the folder ${folder} does not exist`)
  )
  if (type !== "Directory") return yield* unusable(filename, `${folder} is not a folder`)
  if (yield* Effect.orElseSucceed(fs.exists(filename), () => true)) {
    const { type } = yield* Effect.mapError(fs.stat(filename), () => unusable(filename, "it cannot be read"))
    if (type !== "File") return yield* unusable(filename, "it is not a file")
  } else {
    yield* fs.writeFile(filename, new Uint8Array(), { flag: "wx", mode: 0o600 }).pipe(
      Effect.catchIf(
        (error) => error._tag === "SystemError" && error.reason === "AlreadyExists",
        () => Effect.void
      ),
      Effect.mapError(() => unusable(filename, `no file can be made in ${folder}`))
    )
  }
})

/**
 * The open SQLite database: its schema up to date, WAL, `synchronous=FULL`. Two connections, so that a read waits for no
 * write and sees only what is committed.
 */
export class Database extends Effect.Service<Database>()("@port-server/server/Database", {
  scoped: Effect.gen(function* () {
    const { database: filename } = yield* ServerConfig
    const fs = yield* FileSystem.FileSystem
    yield* prepareFile(filename)
    return yield* Effect.gen(function* () {
      const writer = yield* connect(filename)
      // Nothing is changed before it is clear that the database is ours.
      const outdated = yield* isOutdated(writer)
      yield* whileLocked(run(writer, "PRAGMA journal_mode = WAL"))
      // Writing nothing tells a database that cannot be written, now and not with the first request.
      yield* transaction(writer, outdated ? migrate(writer) : run(writer, "DELETE FROM allocations WHERE FALSE"))
      yield* Effect.forEach([filename, `${filename}-wal`, `${filename}-shm`], (file) =>
        Effect.ignore(fs.chmod(file, 0o600))
      )
      yield* assertDurable(writer)
      return {
        /** The one connection that writes. */
        writer,
        /** For reads of one statement, which see what is committed at that moment. */
        reader: yield* connect(filename),
        /** A connection of its own, for as long as the scope is open, for reads that belong together. */
        snapshot: connect(filename)
      } as const
    }).pipe(
      Effect.catchTags({
        ForeignDatabase: ({ message }) => unusable(filename, `it ${message}`),
        SqlError: (error) => unusable(filename, openingReason(error))
      })
    )
  })
}) {}
