import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Allocation, type AllocationFilter } from "@port-server/domain/Allocation"
import type { StorageError } from "@port-server/domain/Errors"
import type { PortRange } from "@port-server/domain/Port"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as EventLoop from "../runtime/EventLoop.ts"
import { Database } from "./Database.ts"
import { FreePorts, firstFree } from "./FreePorts.ts"
import * as GroupCommit from "./GroupCommit.ts"
import type { PortBitSet } from "./PortBitSet.ts"
import { type Parameter, query, run } from "./Query.ts"
import { storageError } from "./SqliteError.ts"

// A time of another form, which another program may have stored, is passed on as it is.
const fields = `id, app, instance, service, port,
  CASE WHEN created_at GLOB '????-??-?? ??:??:??' THEN replace(created_at, ' ', 'T') || 'Z' ELSE created_at END AS created_at`

const columns = `${fields}, (SELECT path FROM folders WHERE allocation = id) AS path`

/** An allocation as its row: SQL's NULL is a field that is not there. */
const AllocationFromRow = Schema.transform(
  Schema.Struct({ ...Allocation.fields, path: Schema.NullOr(Schema.String) }),
  Schema.typeSchema(Allocation),
  {
    strict: true,
    decode: ({ path, ...fields }) =>
      new Allocation(path === null ? fields : { ...fields, path }, { disableValidation: true }),
    encode: ({ path = null, ...fields }) => ({ ...fields, path })
  }
)

const allocations = query(AllocationFromRow)
const counts = query(Schema.Struct({ count: Schema.Int }))
const ports = query(Schema.Struct({ port: Schema.Int }))

/** Most allocations that are read or encoded at a time: a millisecond or two. */
const pageSize = 500

/** Below every id, also those that another program may have given. */
const beforeAll = Number.MIN_SAFE_INTEGER

/** The condition of a filter, after another one, and its parameters. An empty name and port 0 give no condition. */
const and = ({ app, instance, service, port, path }: AllocationFilter) => {
  const given: Array<readonly [condition: string, value: Parameter]> = []
  if (app) given.push(["app = ?", app])
  if (instance) given.push(["instance = ?", instance])
  if (service) given.push(["service = ?", service])
  if (port) given.push(["port = ?", port])
  if (path) given.push(["id IN (SELECT allocation FROM folders WHERE path = ?)", path])
  return {
    condition: given.map(([condition]) => `AND ${condition}`).join(" "),
    parameters: given.map(([, value]) => value)
  }
}

/** The next allocations that match the filter, by id, after the one with the id `last`. */
const page = (connection: Connection, filter: AllocationFilter, last: number) => {
  const { condition, parameters } = and(filter)
  return allocations(
    connection,
    `SELECT ${columns} FROM allocations WHERE id > ? ${condition} ORDER BY id LIMIT ${pageSize}`,
    [last, ...parameters]
  )
}

/** All allocations that match the filter, in pages, as of one moment. */
const pages = (snapshot: Effect.Effect<Connection, SqlError, Scope.Scope>, filter: AllocationFilter) =>
  Effect.gen(function* () {
    const connection = yield* snapshot
    const all: Array<ReadonlyArray<Allocation>> = []
    // What one transaction reads is of one moment; closing the connection ends it.
    yield* run(connection, "BEGIN")
    for (let last = beforeAll, isFull = true; isFull; ) {
      const next = yield* page(connection, filter, last)
      all.push(next)
      isFull = next.length === pageSize
      last = next.at(-1)?.id ?? last
      yield* EventLoop.turn
    }
    return all
  }).pipe(Effect.scoped)

const holder = (connection: Connection, port: number) =>
  Effect.map(allocations(connection, `SELECT ${columns} FROM allocations WHERE port = ?`, [port]), ([found]) => found)

/** A time of the API as SQLite's `datetime()` writes it, `2025-02-08 15:04:05`; what is none stays as it is. */
const sqliteTime = (time: string) => time.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z$/, "$1 $2")

/** The operations of one transaction. */
export interface TransactionOps {
  /** The allocation that holds the port. */
  readonly holder: (port: number) => Effect.Effect<Allocation | undefined, SqlError>
  /** The next port of the range for auto-assignment but for those to skip, if one is left. */
  readonly freePort: (range: PortRange, skip: PortBitSet | undefined) => Effect.Effect<number | undefined, SqlError>
  /** The allocations that match the filter, by id. */
  readonly matching: (filter: AllocationFilter) => Effect.Effect<ReadonlyArray<Allocation>, SqlError>
  /** The allocations that hold any of the ports. */
  readonly holders: (ports: Iterable<number>) => Effect.Effect<ReadonlyArray<Allocation>, SqlError>
  /** Allocate the port, as of now or of another time, unless it has a holder: then nothing. */
  readonly insert: (
    owner: Pick<Allocation, "app" | "instance" | "service" | "path">,
    port: number,
    createdAt?: string
  ) => Effect.Effect<Allocation | undefined, SqlError>
  /** Remember the project folder of an allocation that is there. */
  readonly setProjectPath: (allocation: Allocation, path: string) => Effect.Effect<Allocation, SqlError>
  /** Release what matches the filter, or the one with the id; how many there were. */
  readonly remove: (which: AllocationFilter | Allocation["id"]) => Effect.Effect<number, SqlError>
}

const setProjectPath = (connection: Connection, allocation: Allocation, path: string) =>
  Effect.as(
    run(connection, "INSERT OR REPLACE INTO folders (allocation, path) VALUES (?, ?)", [allocation.id, path]),
    new Allocation({ ...allocation, path })
  )

const transactionOps = (connection: Connection, freePorts: FreePorts): TransactionOps => ({
  holder: (port) => holder(connection, port),

  freePort: (range, skip) =>
    Effect.map(freePorts.held(connection), (held) => firstFree(range, held, ...(skip === undefined ? [] : [skip]))),

  matching: (filter) => {
    const { condition, parameters } = and(filter)
    return allocations(connection, `SELECT ${columns} FROM allocations WHERE TRUE ${condition} ORDER BY id`, parameters)
  },

  holders: (wanted) =>
    Effect.forEach(Chunk.chunksOf(Chunk.fromIterable(wanted), pageSize), (some) => {
      const found = allocations(
        connection,
        `SELECT ${columns} FROM allocations WHERE port IN (SELECT value FROM json_each(?))`,
        [JSON.stringify(Chunk.toReadonlyArray(some))]
      )
      return Effect.zipLeft(found, EventLoop.turn)
    }).pipe(Effect.map((pages) => pages.flat())),

  insert: Effect.fnUntraced(function* ({ app, instance, service, path }, port, createdAt) {
    const time = createdAt ?? new Date(yield* Clock.currentTimeMillis).toISOString()
    const [allocation] = yield* allocations(
      connection,
      `INSERT INTO allocations (app, instance, service, port, created_at) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (port) DO NOTHING RETURNING ${fields}, NULL AS path`,
      [app, instance, service, port, sqliteTime(time)]
    )
    if (allocation === undefined) return undefined
    freePorts.hold(port)
    return path === undefined ? allocation : yield* setProjectPath(connection, allocation, path)
  }),

  setProjectPath: (allocation, path) => setProjectPath(connection, allocation, path),

  remove: Effect.fnUntraced(function* (which) {
    const { condition, parameters } =
      typeof which === "number" ? { condition: "AND id = ?", parameters: [which] } : and(which)
    const removed = yield* ports(
      connection,
      `DELETE FROM allocations WHERE TRUE ${condition} RETURNING port`,
      parameters
    )
    for (const { port } of removed) freePorts.free(port)
    return removed.length
  })
})

/** The allocations in SQLite; the only file that knows its tables. */
export class AllocationRepository extends Effect.Service<AllocationRepository>()(
  "@port-server/server/storage/AllocationRepository",
  {
    scoped: Effect.gen(function* () {
      const database = yield* Database
      const freePorts = new FreePorts()

      const submit = yield* GroupCommit.make({
        connection: Effect.map(database.reopenIfReplaced, ({ writer }) => writer),
        verifyFile: database.connections,
        onBegin: (connection) => freePorts.begin(connection),
        onRollback: () => freePorts.invalidate()
      })

      /** The connections; when the file was replaced, those to the new one, which the writer opens. */
      const connections = Effect.catchAll(database.connectionsForRead, () =>
        Effect.zipRight(
          submit<void, never>(() => Effect.void),
          database.connections
        )
      )

      return {
        /** Run `body` in a transaction; returns once what it wrote is durable. A body must not fail after it has written. */
        write: <A, E>(
          body: (write: TransactionOps) => Effect.Effect<A, E | SqlError>
        ): Effect.Effect<A, E | StorageError> => submit((connection) => body(transactionOps(connection, freePorts))),

        /** The allocation that holds the port. */
        holder: (port: number): Effect.Effect<Allocation | undefined, StorageError> =>
          Effect.flatMap(connections, ({ reader }) => Effect.catchTag(holder(reader, port), "SqlError", storageError)),

        /** How many ports are allocated. */
        count: Effect.flatMap(connections, ({ reader }) =>
          counts(reader, "SELECT count(*) AS count FROM allocations").pipe(
            Effect.map(([row]) => row?.count ?? 0),
            Effect.catchTag("SqlError", storageError)
          )
        ),

        /** The allocations that match the filter, by id, as of one moment. Many come in pages, with other requests in between. */
        list: (filter: AllocationFilter): Effect.Effect<ReadonlyArray<ReadonlyArray<Allocation>>, StorageError> =>
          Effect.flatMap(connections, ({ reader, snapshot }) =>
            page(reader, filter, beforeAll).pipe(
              Effect.flatMap((first) => (first.length < pageSize ? Effect.succeed([first]) : pages(snapshot, filter))),
              Effect.catchTag("SqlError", storageError)
            )
          )
      } as const
    }),
    dependencies: [Database.Default]
  }
) {}
