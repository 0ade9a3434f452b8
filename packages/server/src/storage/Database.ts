import * as Reactivity from "@effect/experimental/Reactivity"
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import { StorageUnavailable } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { ServerConfig } from "../ServerConfig.ts"
import {
  currentFileIds,
  DatabaseUnusable,
  type FileIds,
  fileId,
  isSameFile,
  prepare,
  removeStaleWal,
  restrictPermissions,
  unusable
} from "./DatabaseFile.ts"
import { type ForeignDatabase, isOutdated, migrate } from "./Migrations.ts"
import { query, run } from "./Query.ts"
import * as SqliteDriver from "./SqliteDriver.ts"
import { openingReason } from "./SqliteError.ts"
import { transaction, whileLocked } from "./Transaction.ts"

/** How long SQLite itself waits for a lock, in ms: short, because it waits with the whole process. */
const busyTimeout = 20

/**
 * Oldest SQLite without the WAL-reset bug, which could corrupt a database (https://sqlite.org/wal.html#walresetbug).
 */
const oldestSqlite = [3, 51, 3] as const

const pragmas = query(Schema.Struct({ synchronous: Schema.Int, journal_mode: Schema.String, version: Schema.String }))

/** A connection of its own for as long as the scope is open. Opening waits while another process holds a lock. */
export const connect = Effect.fnUntraced(
  function* (filename: string, options: { readonly readonly?: boolean } = {}) {
    const SqliteClient = yield* SqliteDriver.load
    const sql = yield* SqliteClient.make({ filename, disableWAL: true, ...options }).pipe(
      // The driver's constructor throws inside an effect that cannot fail.
      Effect.catchAllDefect((cause) =>
        Effect.fail(SqliteDriver.toDriverUnusable(cause) ?? new SqlError({ cause, message: "Failed to open" }))
      )
    )
    const connection = yield* sql.reserve
    for (const pragma of [`busy_timeout = ${busyTimeout}`, "foreign_keys = ON", "synchronous = FULL"]) {
      yield* run(connection, `PRAGMA ${pragma}`)
    }
    return connection
  },
  whileLocked,
  Effect.provide(Reactivity.layer)
)

/** What the promises rest on: asserted once the connection has written, because SQLite may change it until then. */
const assertDurable = Effect.fnUntraced(function* (connection: Connection) {
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

const findings = query(Schema.Struct({ quick_check: Schema.String }))

/** What an error of SQLite or of the schema means for the file as a whole. */
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
        return unusable(filename, openingReason(error))
    }
  }

/** Connections to one and the same file. */
interface OpenFile {
  /** The one connection that writes. */
  readonly writer: Connection
  /** For reads of one statement, which see what is committed at that moment and wait for no write. */
  readonly reader: Connection
  /** A connection of its own, for as long as the scope is open, for reads that belong together. */
  readonly snapshot: Effect.Effect<Connection, SqlError, Scope.Scope>
  readonly ids: FileIds
}

/**
 * A connection to inspect a database with, which changes nothing: closing one that may write would merge a log that
 * another program left behind, and closing a read-only one would leave the log that it created itself.
 */
export const connectForInspection = (filename: string) =>
  connect(filename, { readonly: fileId(`${filename}-wal`) !== undefined })

/** Whether the database at the path has an older schema. */
const inspectSchema = (filename: string) =>
  connectForInspection(filename).pipe(
    Effect.flatMap((connection) => whileLocked(isOutdated(connection))),
    Effect.scoped
  )

/** Open the file at the path: its schema up to date, WAL, `synchronous=FULL`. */
const open = Effect.fnUntraced(function* (filename: string) {
  yield* prepare(filename)
  return yield* Effect.gen(function* () {
    const outdated = yield* inspectSchema(filename)
    let ids: FileIds = { database: undefined, log: undefined }
    // Last of all, once the connections are closed.
    yield* Effect.addFinalizer(() => Effect.sync(() => removeStaleWal(filename, ids)))
    const writer = yield* connect(filename)
    const [first] = yield* findings(writer, "PRAGMA quick_check(1)")
    if (first?.quick_check !== "ok") return yield* unusable(filename, `it is damaged: ${first?.quick_check}`)
    // The check has read every page: what is not needed is not kept.
    yield* run(writer, "PRAGMA shrink_memory")
    yield* whileLocked(run(writer, "PRAGMA journal_mode = WAL"))
    // Writing nothing tells a database that cannot be written, now and not with the first request.
    yield* transaction(writer, outdated ? migrate(writer) : run(writer, "DELETE FROM allocations WHERE FALSE"))
    yield* restrictPermissions(filename)
    yield* assertDurable(writer)
    const reader = yield* connect(filename)
    ids = currentFileIds(filename)
    // First of all: what is in the log goes into the database file, wherever that is by now.
    yield* Effect.addFinalizer(() => Effect.ignore(run(writer, "PRAGMA wal_checkpoint(TRUNCATE)")))
    // The driver is loaded by now.
    const snapshot = Effect.catchTag(connect(filename), "DriverUnusable", Effect.die)
    const opened: OpenFile = { writer, reader, snapshot, ids }
    return opened
  }).pipe(Effect.mapError(toDatabaseUnusable(filename)))
})

/**
 * The open SQLite database. If the file at the path is removed or replaced, requests fail until a database exists there
 * again; it is then reopened.
 */
export class Database extends Effect.Service<Database>()("@port-server/server/storage/Database", {
  scoped: Effect.gen(function* () {
    const { database: filename } = yield* ServerConfig
    const platform = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
    const scope = yield* Effect.scope

    const openInScope = Effect.gen(function* () {
      const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      const file = yield* open(filename).pipe(
        Scope.extend(own),
        Effect.provide(platform),
        Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
      )
      return { file, close: Scope.close(own, Exit.void) }
    })

    let opened: Effect.Effect.Success<typeof openInScope> | undefined = yield* openInScope

    const fileReplaced = new StorageUnavailable({
      message: `the database file ${filename} was deleted, moved or replaced while port-server had it open`,
      retryAfter: 1
    })

    const verify = () =>
      opened !== undefined && isSameFile(filename, opened.file.ids) ? Effect.succeed(opened.file) : fileReplaced
    const connections = Effect.suspend(verify)

    // Requests that were read together verify the file once.
    let verified: Effect.Effect<OpenFile, StorageUnavailable> | undefined
    const connectionsForRead = Effect.suspend(() => {
      if (verified === undefined) {
        verified = verify()
        setImmediate(() => {
          verified = undefined
        })
      }
      return verified
    })

    const replace = Effect.gen(function* () {
      // Without a file at the path, the connections are kept: the same file may come back.
      if (fileId(filename) === undefined) return yield* fileReplaced
      if (opened !== undefined) {
        const { close } = opened
        opened = undefined
        verified = undefined
        yield* close
      }
      opened = yield* Effect.mapError(openInScope, ({ message }) => new StorageUnavailable({ message, retryAfter: 1 }))
      return opened.file
    })

    return {
      /** The connections, or `StorageUnavailable` if the file was removed or replaced. */
      connections,

      /** The same, verified once in each turn of the event loop: enough for reads. */
      connectionsForRead,

      /** The same, but opens the file that replaced the old one. For the one fiber that writes. */
      reopenIfReplaced: Effect.uninterruptible(Effect.catchAll(connections, () => replace))
    } as const
  })
}) {}
