import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Allocation, type AllocationId, type AllocationRequest, type Selector } from "@port-server/domain/Allocation"
import type { StorageError } from "@port-server/domain/Errors"
import type { PortRange } from "@port-server/domain/Port"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Database } from "./Database.ts"
import * as EventLoop from "./EventLoop.ts"
import { FreePorts } from "./FreePorts.ts"
import * as GroupCommit from "./GroupCommit.ts"
import { type Parameter, query, run } from "./Query.ts"
import { storageError } from "./StorageFault.ts"

// A time that SQLite cannot read, which another program may have stored, is passed on as it is.
const columns = `id, app, instance, service, port,
  coalesce(strftime('%Y-%m-%dT%H:%M:%SZ', created_at), created_at) AS created_at`

const allocations = query(Allocation)
const ports = query(Schema.Struct({ port: Schema.Int }))
const versions = query(Schema.Struct({ data_version: Schema.Int }))

/** Most allocations that are read or encoded at a time: a millisecond or two. */
const pageSize = 500

/** The condition of a selector, after another one, and its parameters. An empty name and port 0 give no condition. */
const and = ({ app, instance, service, port }: Selector) => {
  const given: Array<readonly [column: string, value: Parameter]> = []
  if (app) given.push(["app", app])
  if (instance) given.push(["instance", instance])
  if (service) given.push(["service", service])
  if (port) given.push(["port", port])
  return {
    condition: given.map(([column]) => `AND ${column} = ?`).join(" "),
    parameters: given.map(([, value]) => value)
  }
}

/** The next allocations that equal the selector, by id, after the one with the id `last`. */
const page = (connection: Connection, selector: Selector, last: number) => {
  const { condition, parameters } = and(selector)
  return allocations(
    connection,
    `SELECT ${columns} FROM allocations WHERE id > ? ${condition} ORDER BY id LIMIT ${pageSize}`,
    [last, ...parameters]
  )
}

/** A time in ms since 1970 as SQLite's `datetime()` writes it, `2025-02-08 15:04:05`. */
const sqliteTime = (millis: number) => new Date(millis).toISOString().slice(0, 19).replace("T", " ")

/** What can be done inside one write. */
export interface Write {
  /** The allocation that holds the port. */
  readonly holder: (port: number) => Effect.Effect<Allocation | undefined, SqlError>
  /** The next port of the range for auto-assignment, if one is left. */
  readonly freePort: (range: PortRange) => Effect.Effect<number | undefined, SqlError>
  /** Allocate the port, unless it has a holder: then nothing. */
  readonly insert: (
    owner: Pick<AllocationRequest, "app" | "instance" | "service">,
    port: number
  ) => Effect.Effect<Allocation | undefined, SqlError>
  /** Release what equals the selector, or the one with the id; how many there were. */
  readonly remove: (which: Selector | AllocationId) => Effect.Effect<number, SqlError>
}

/** The allocations in SQLite: the only place that knows its tables. */
export class AllocationStore extends Effect.Service<AllocationStore>()("@port-server/server/AllocationStore", {
  scoped: Effect.gen(function* () {
    const { reader, snapshot, writer } = yield* Database

    // What SQLite holds, as of `knownVersion`; unset when a change of ours was not committed.
    let freePorts: FreePorts | undefined
    let knownVersion = 0
    let isCurrent = false

    const currentFreePorts = Effect.fnUntraced(function* () {
      if (freePorts !== undefined && isCurrent) return freePorts
      // Changes when another connection has committed, and only then (https://sqlite.org/pragma.html#pragma_data_version).
      const [row] = yield* versions(writer, "PRAGMA data_version")
      const version = row?.data_version ?? 0
      if (freePorts === undefined || version !== knownVersion) {
        const held = yield* ports(writer, "SELECT port FROM allocations")
        freePorts = new FreePorts(held.map(({ port }) => port))
        knownVersion = version
      }
      isCurrent = true
      return freePorts
    })

    const operations: Write = {
      holder: (port) =>
        Effect.map(
          allocations(writer, `SELECT ${columns} FROM allocations WHERE port = ?`, [port]),
          ([holder]) => holder
        ),

      freePort: (range) => Effect.map(currentFreePorts(), (free) => free.first(range)),

      insert: Effect.fnUntraced(function* ({ app, instance, service }, port) {
        const createdAt = sqliteTime(yield* Clock.currentTimeMillis)
        const [allocation] = yield* allocations(
          writer,
          `INSERT INTO allocations (app, instance, service, port, created_at) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (port) DO NOTHING RETURNING ${columns}`,
          [app, instance, service, port, createdAt]
        )
        if (allocation !== undefined) freePorts?.hold(port)
        return allocation
      }),

      remove: Effect.fnUntraced(function* (which) {
        const { condition, parameters } =
          typeof which === "number" ? { condition: "AND id = ?", parameters: [which] } : and(which)
        const removed = yield* ports(
          writer,
          `DELETE FROM allocations WHERE TRUE ${condition} RETURNING port`,
          parameters
        )
        for (const { port } of removed) freePorts?.free(port)
        return removed.length
      })
    }

    const allPages = (selector: Selector) =>
      Effect.gen(function* () {
        const connection = yield* snapshot
        const pages: Array<ReadonlyArray<Allocation>> = []
        // What one transaction reads is of one moment; closing the connection ends it.
        yield* run(connection, "BEGIN")
        for (let last = 0, full = true; full; ) {
          const next = yield* page(connection, selector, last)
          pages.push(next)
          full = next.length === pageSize
          last = next.at(-1)?.id ?? last
          yield* EventLoop.turn
        }
        return pages
      }).pipe(Effect.scoped)

    const submit = yield* GroupCommit.make(writer, {
      onBegin: () => {
        isCurrent = false
      },
      onLost: () => {
        freePorts = undefined
      }
    })

    return {
      /** Run `body` in a transaction, and answer when what it wrote is durable. It writes with one statement at most. */
      write: <A, E>(body: (write: Write) => Effect.Effect<A, E | SqlError>): Effect.Effect<A, E | StorageError> =>
        submit(body(operations)),

      /** The allocation that holds the port. */
      holder: (port: number): Effect.Effect<Allocation | undefined, StorageError> =>
        allocations(reader, `SELECT ${columns} FROM allocations WHERE port = ?`, [port]).pipe(
          Effect.map(([holder]) => holder),
          Effect.catchAll(storageError)
        ),

      /** The allocations that equal the selector, by id, as of one moment. Many come in pages, which block nobody. */
      list: (selector: Selector): Effect.Effect<ReadonlyArray<ReadonlyArray<Allocation>>, StorageError> =>
        page(reader, selector, 0).pipe(
          Effect.flatMap((first) => (first.length < pageSize ? Effect.succeed([first]) : allPages(selector))),
          Effect.catchAll(storageError)
        )
    } as const
  }),
  dependencies: [Database.Default]
}) {}
