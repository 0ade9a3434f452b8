import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import type { Allocation } from "@port-server/domain/Allocation"
import { type EventKind, keptEvents } from "@port-server/domain/Event"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Schema from "effect/Schema"
import * as EventLoop from "../runtime/EventLoop.ts"
import { type Parameter, query, run } from "./Query.ts"

/** What the client of the current request says about itself, as JSON. */
export const currentClient = FiberRef.unsafeMake<string | undefined>(undefined)

/** Notes an event; `from` is the folder that the allocation had before. */
export type Recorder = (
  kind: EventKind,
  allocations: ReadonlyArray<Allocation>,
  from?: string | undefined
) => Effect.Effect<void>

const columns = "at, kind, allocation, app, instance, service, port, created_at, path, moved_from, client"

/** Rows in one statement: more make it no faster, and each number of rows is a statement to prepare. */
const rowsPerInsert = 32

/** Slices after which other requests are served. */
const slicesPerTurn = 8

type Row = ReadonlyArray<Parameter>

// Another program may have let them grow beyond what is exact: they are only compared.
const idsOf = query(Schema.Struct({ id: Schema.Number }))

/** The last id that was given. */
const insert = (connection: Connection, rows: ReadonlyArray<Row>): Effect.Effect<number, SqlError> => {
  const placeholders = rows.map((row) => `(${row.map(() => "?").join(", ")})`).join(", ")
  return Effect.map(
    idsOf(connection, `INSERT INTO events (${columns}) VALUES ${placeholders} RETURNING id`, rows.flat()),
    (inserted) => Math.max(...inserted.map(({ id }) => id))
  )
}

/** The events of the transaction that runs: written at its end, so that they are durable exactly when their changes are. */
export class EventLog {
  /** No event in the database has a lower id; unknown at first. */
  #oldest: number | undefined
  #rows: Array<Row> = []
  /** How many older events of the transaction are not written, because newer ones alone are as many as are kept. */
  #skipped = 0

  /** The database may have changed without this log. */
  invalidate(): void {
    this.#oldest = undefined
  }

  /** A transaction begins. */
  begin(): void {
    this.#rows = []
    this.#skipped = 0
  }

  /** Notes events of a client's request. */
  recorder(client: string | undefined): Recorder {
    return (kind, allocations, from) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const at = `${new Date(now).toISOString().slice(0, 19)}Z`
        for (const { app, created_at, id, instance, path = null, port, service } of allocations) {
          const place = [path, from ?? null, client ?? null]
          this.#rows.push([at, kind, id, app, instance, service, port, created_at, ...place])
        }
        if (this.#rows.length >= 2 * keptEvents) this.#skipped += this.#rows.splice(0, keptEvents).length
      })
  }

  /** Leave out this many events of the transaction; as many as are kept come after them. */
  skip(count: number): void {
    this.#skipped += count
  }

  /** Write the events at the end of the transaction, and forget old ones; returns whether there are new ones. */
  write(connection: Connection): Effect.Effect<boolean, SqlError> {
    return Effect.gen(this, function* () {
      if (this.#rows.length === 0) return false
      const rows = this.#rows.slice(-keptEvents)
      const skipped = this.#skipped + this.#rows.length - rows.length
      // Whoever reads from an event on must notice that some are missing.
      if (skipped > 0)
        yield* run(connection, "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'events'", [skipped])
      let last = 0
      for (let slice = 0; slice * rowsPerInsert < rows.length; slice++) {
        last = yield* insert(connection, rows.slice(slice * rowsPerInsert, (slice + 1) * rowsPerInsert))
        if (slice % slicesPerTurn === slicesPerTurn - 1) yield* EventLoop.yieldToIO
      }
      yield* this.#removeOld(connection, last - keptEvents)
      return true
    })
  }

  /** Remove the events up to this one. */
  #removeOld(connection: Connection, end: number): Effect.Effect<void, SqlError> {
    if (this.#oldest === undefined) {
      return Effect.flatMap(idsOf(connection, "SELECT min(id) AS id FROM events"), ([row]) => {
        this.#oldest = row?.id ?? 0
        return this.#removeOld(connection, end)
      })
    }
    if (this.#oldest > end) return Effect.void
    this.#oldest = end + 1
    return run(connection, "DELETE FROM events WHERE id <= ?", [end])
  }
}
