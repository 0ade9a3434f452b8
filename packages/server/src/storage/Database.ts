import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { StorageUnavailable } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { ServerConfig } from "../ServerConfig.ts"
import {
  currentFileIds,
  type FileIds,
  fileId,
  prepare,
  removeStaleWal,
  restrictPermissions,
  unusable,
  walSize,
  walSizeOf
} from "./DatabaseFile.ts"
import { isOutdated, migrate } from "./Migrations.ts"
import { query, run } from "./Query.ts"
import { assertDurable, connect, connectForInspection, toDatabaseUnusable } from "./SqliteConnection.ts"
import { transaction, whileLocked } from "./Transaction.ts"

const findings = query(Schema.Struct({ quick_check: Schema.String }))

/** Size in bytes above which the write-ahead log is truncated. Without long readers SQLite keeps it at half of this. */
const largestWal = 8 * 1024 * 1024

/** How often to retry while a reader needs the log. */
const truncationInterval = "1 second"

/** The connections to one file. */
interface OpenFile {
  /** The one connection that writes. */
  readonly writer: Connection
  /** For reads of one statement: they see the last commit and wait for no write. */
  readonly reader: Connection
  /** A separate connection in a scope, for several reads of one snapshot. */
  readonly snapshot: Effect.Effect<Connection, SqlError, Scope.Scope>
  readonly ids: FileIds
}

/** Whether the database at the path has an older schema. */
const inspectSchema = (filename: string) =>
  connectForInspection(filename).pipe(
    Effect.flatMap((connection) => whileLocked(isOutdated(connection))),
    Effect.scoped
  )

/** Open the file at the path: its schema up to date, WAL, `synchronous=FULL`. */
const open = Effect.fnUntraced(function* (filename: string) {
  const isNew = yield* prepare(filename)
  return yield* Effect.gen(function* () {
    const outdated = isNew || (yield* inspectSchema(filename))
    let ids: FileIds = { database: undefined, log: undefined }
    // Runs last, once the connections are closed.
    yield* Effect.addFinalizer(() => Effect.sync(() => removeStaleWal(filename, ids)))
    const writer = yield* connect(filename)
    const [first] = yield* findings(writer, "PRAGMA quick_check(1)")
    if (first?.quick_check !== "ok") return yield* unusable(filename, `it is damaged: ${first?.quick_check}`)
    // The check has read every page into the cache.
    yield* run(writer, "PRAGMA shrink_memory")
    yield* whileLocked(run(writer, "PRAGMA journal_mode = WAL"))
    // An empty write fails now, and not with the first request, if the database cannot be written.
    yield* transaction(writer, outdated ? migrate(writer) : run(writer, "DELETE FROM allocations WHERE FALSE"))
    yield* restrictPermissions(filename)
    yield* assertDurable(writer)
    const reader = yield* connect(filename)
    ids = currentFileIds(filename)
    // Runs first: merges the log into the database file, wherever that has been moved to.
    yield* Effect.addFinalizer(() => Effect.ignore(run(writer, "PRAGMA wal_checkpoint(TRUNCATE)")))
    // The driver is loaded already.
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

    /** The size of the write-ahead log of the open file, if that is still at the path. */
    const currentWalSize = () => (opened === undefined ? undefined : walSizeOf(filename, opened.file.ids))

    const verify = () =>
      opened !== undefined && currentWalSize() !== undefined ? Effect.succeed(opened.file) : fileReplaced
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

    let isTruncating = false
    const truncateWal = Effect.suspend(() => {
      if (isTruncating || walSize(filename) <= largestWal) return Effect.void
      isTruncating = true
      return connections.pipe(
        Effect.flatMap(({ reader }) => run(reader, "PRAGMA wal_checkpoint(TRUNCATE)")),
        Effect.ignore,
        Effect.delay(truncationInterval),
        Effect.repeat({ while: () => walSize(filename) > largestWal }),
        Effect.ensuring(
          Effect.sync(() => {
            isTruncating = false
          })
        ),
        Effect.interruptible,
        Effect.forkIn(scope),
        Effect.asVoid
      )
    })
    yield* truncateWal

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

      /** Fails in the same way, after a commit. Truncates a large write-ahead log as soon as no reader needs it. */
      verifyAfterCommit: Effect.suspend(() => {
        const size = currentWalSize()
        if (size === undefined) return fileReplaced
        return size > largestWal ? truncateWal : Effect.void
      }),

      /** The same, verified once in each turn of the event loop: enough for reads. */
      connectionsForRead,

      /** The same, but opens the file that replaced the old one. For the one fiber that writes. */
      reopenIfReplaced: Effect.uninterruptible(Effect.catchAll(connections, () => replace))
    } as const
  })
}) {}
