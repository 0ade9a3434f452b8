import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import type { Allocation } from "@port-server/domain/Allocation"
import type { ListFilter } from "@port-server/domain/AllocationFilter"
import type { StorageError } from "@port-server/domain/Errors"
import type { SocketProject } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as PubSub from "effect/PubSub"
import * as Queries from "./AllocationQueries.ts"
import type { UnreadableRow } from "./AllocationRow.ts"
import { Database } from "./Database.ts"
import { currentClient, EventLog } from "./EventLog.ts"
import { FreePorts } from "./FreePorts.ts"
import * as GroupCommit from "./GroupCommit.ts"
import * as Migrations from "./Migrations.ts"
import { OtherWriters } from "./OtherWriters.ts"
import * as ProjectFolders from "./ProjectFolders.ts"
import { sqliteCode, storageError } from "./SqliteError.ts"
import * as TransactionOps from "./TransactionOps.ts"
import * as WorkingCopies from "./WorkingCopyRows.ts"

/** The typed error of a failed read. A statement that does not fit the schema may be due to a newer one. */
const readError = (reader: Connection) => (error: SqlError) =>
  sqliteCode(error) === "SQLITE_ERROR"
    ? Effect.zipRight(Effect.catchTag(Migrations.verifyVersion(reader), "SqlError", storageError), storageError(error))
    : storageError(error)

/** The allocations in SQLite. */
export class AllocationRepository extends Effect.Service<AllocationRepository>()(
  "@port-server/server/storage/AllocationRepository",
  {
    scoped: Effect.gen(function* () {
      const database = yield* Database
      const freePorts = new FreePorts()
      const events = new EventLog()
      const forget = () => {
        freePorts.invalidate()
        events.invalidate()
      }
      const others = new OtherWriters(forget)
      const commits = yield* PubSub.sliding<void>(1)
      let hasEvents = false

      const submit = yield* GroupCommit.make({
        connection: Effect.map(database.reopenIfReplaced, ({ writer }) => writer),
        verifyFile: database.verifyAfterCommit,
        onBegin: (connection) =>
          Effect.zipRight(
            others.verify(connection),
            Effect.sync(() => {
              events.begin()
              freePorts.begin()
            })
          ),
        onEnd: (connection) =>
          Effect.map(events.write(connection), (written) => {
            hasEvents = written
          }),
        onCommit: Effect.suspend(() => (hasEvents ? PubSub.publish(commits, undefined) : Effect.void)),
        onRollback: forget
      })

      /** The connections; if the file was replaced, the writer opens the new one first. */
      const connections = Effect.catchAll(database.connectionsForRead, () =>
        Effect.zipRight(
          submit<void, never>(() => Effect.void),
          database.connections
        )
      )

      return {
        /** Run `body` in a transaction; returns once what it wrote is durable. A body must not fail after it has written. */
        write: <A, E>(
          body: (write: TransactionOps.TransactionOps) => Effect.Effect<A, E | SqlError>,
          isLarge = false
        ): Effect.Effect<A, E | StorageError> =>
          Effect.flatMap(FiberRef.get(currentClient), (client) =>
            submit((connection) => body(TransactionOps.make(connection, { events, freePorts }, client)), isLarge)
          ),

        /** Read what is committed. */
        read: <A>(query: (reader: Connection) => Effect.Effect<A, SqlError>): Effect.Effect<A, StorageError> =>
          Effect.flatMap(connections, ({ reader }) => Effect.catchTag(query(reader), "SqlError", readError(reader))),

        /** Something is put in whenever events are committed. */
        commits: PubSub.subscribe(commits),

        /** The allocation that holds the port. */
        holder: (port: number): Effect.Effect<Allocation | undefined, StorageError | UnreadableRow> =>
          Effect.flatMap(connections, ({ reader }) =>
            Effect.catchTag(Queries.holder(reader, port), "SqlError", readError(reader))
          ),

        /** The allocations that hold any of the ports, each as of the moment when it was read. */
        holders: (ports: Iterable<number>): Effect.Effect<ReadonlyArray<Allocation>, StorageError> =>
          Effect.flatMap(connections, ({ reader }) =>
            Queries.holders(reader, ports).pipe(
              Effect.catchTag("UnreadableRow", TransactionOps.toUnavailable),
              Effect.catchTag("SqlError", readError(reader))
            )
          ),

        /** The same, without the rows that cannot be read. */
        readableHolders: (ports: Iterable<number>): Effect.Effect<ReadonlyArray<Allocation>, StorageError> =>
          Effect.flatMap(connections, ({ reader }) =>
            Effect.catchTag(Queries.readableHolders(reader, ports), "SqlError", readError(reader))
          ),

        /** The allocated ports. */
        ports: Effect.flatMap(connections, ({ reader }) =>
          Effect.catchTag(Queries.allocatedPorts(reader), "SqlError", readError(reader))
        ),

        /** The devices remembered for the folders of the allocations with these ids. */
        devices: (ids: ReadonlyArray<number>): Effect.Effect<ReadonlyMap<number, string>, StorageError> =>
          Effect.flatMap(connections, ({ reader }) =>
            Effect.catchTag(ProjectFolders.devicesOf(reader, ids), "SqlError", readError(reader))
          ),

        /** Which of the paths are folders of projects. */
        projectFolders: (folders: ReadonlyArray<string>): Effect.Effect<ReadonlySet<string>, StorageError> =>
          Effect.flatMap(connections, ({ reader }) =>
            Effect.catchTag(ProjectFolders.among(reader, folders), "SqlError", readError(reader))
          ),

        /** Which of the paths have an instance of an app. */
        projectsAt: (folders: ReadonlyArray<string>): Effect.Effect<ReadonlyMap<string, SocketProject>, StorageError> =>
          Effect.flatMap(connections, ({ reader }) =>
            Effect.catchTag(ProjectFolders.projectsAmong(reader, folders), "SqlError", readError(reader))
          ),

        /** Remember the device of a folder's parent, and which one in the file system the folder is. */
        rememberFolder: (found: WorkingCopies.FoundFolder): Effect.Effect<void, StorageError> =>
          Effect.flatMap(connections, ({ reader }) =>
            Effect.if(
              Effect.zipWith(
                ProjectFolders.isOutdated(reader, found.path, found.device),
                WorkingCopies.isOutdated(reader, found),
                (one, other) => one || other
              ).pipe(Effect.catchTag("SqlError", readError(reader))),
              {
                onTrue: () =>
                  submit<void, never>((connection) =>
                    Effect.zipRight(
                      ProjectFolders.update(connection, found.path, found.device),
                      WorkingCopies.refresh(connection, found)
                    )
                  ),
                onFalse: () => Effect.void
              }
            )
          ),

        /** How many ports are allocated. */
        count: Effect.flatMap(connections, ({ reader }) =>
          Effect.catchTag(Queries.count(reader), "SqlError", readError(reader))
        ),

        /** How many allocations match the filter, up to a page of them. */
        countOnPage: (filter: ListFilter) =>
          Effect.flatMap(connections, ({ reader }) =>
            Effect.catchTag(Queries.countOnPage(reader, filter), "SqlError", readError(reader))
          ),

        /** The first `limit` allocations that match the filter and whose id is larger than `after`, by id. */
        page: (filter: ListFilter, after?: number, limit?: number) =>
          Effect.flatMap(connections, ({ reader }) =>
            Effect.catchTag(Queries.firstPage(reader, filter, after, limit), "SqlError", readError(reader))
          ),

        /** The allocations that match the filter, by id, where they fit on one page; nothing where they do not. */
        listShort: (filter: ListFilter): Effect.Effect<ReadonlyArray<Allocation> | undefined, StorageError> =>
          Effect.flatMap(connections, ({ reader }) =>
            Effect.catchTag(Queries.listShort(reader, filter), "SqlError", readError(reader))
          ),

        /** The allocations that match the filter, by id, from one snapshot, in pages. */
        list: (filter: ListFilter): Effect.Effect<ReadonlyArray<ReadonlyArray<Allocation>>, StorageError> =>
          Effect.flatMap(connections, ({ reader, snapshot }) =>
            Effect.catchTag(Queries.list(reader, snapshot, filter), "SqlError", readError(reader))
          )
      } as const
    })
  }
) {}
