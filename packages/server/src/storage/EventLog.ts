import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import type { Allocation } from "@port-server/domain/Allocation"
import { type EventKind, keptEvents } from "@port-server/domain/Event"
import { timestampOf } from "@port-server/domain/Timestamp"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Random from "effect/Random"
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

const counts = query(Schema.Struct({ count: Schema.Int }))

const insert = (connection: Connection, rows: ReadonlyArray<Row>): Effect.Effect<void, SqlError> => {
  const placeholders = rows.map((row) => `(${row.map(() => "?").join(", ")})`).join(", ")
  return run(connection, `INSERT INTO events (${columns}) VALUES ${placeholders}`, rows.flat())
}

/** Ids for a millisecond of the clock: more than there are events, so that ids never get ahead of it. */
const idsPerMillisecond = 1000

/** The ids leave out a random number below this one after a database was opened: 10 ms, and a start takes longer. */
const largestGap = 10_000

/**
 * Before the first event after the database was opened; returns how many there are. The ids that follow are larger than
 * all that were given until now, and others than those that followed on a backup that was put back: who saw what it does
 * not have notices that. Where nothing has ever happened, whoever waits for the next id is right.
 */
const begin = Effect.fnUntraced(function* (connection: Connection) {
  const [{ count } = { count: 0 }] = yield* counts(connection, "SELECT count(*) AS count FROM events")
  if (count > 0) {
    const [now, gap] = [yield* Clock.currentTimeMillis, yield* Random.nextIntBetween(1, largestGap)]
    yield* run(connection, "UPDATE sqlite_sequence SET seq = max(seq, ?) + ? WHERE name = 'events'", [
      now * idsPerMillisecond,
      gap
    ])
  }
  return count
})

/** The events of the transaction that runs: written at its end, so that they are durable exactly when their changes are. */
export class EventLog {
  /** How many events the database has; unknown at first. */
  #count: number | undefined
  #rows: Array<Row> = []
  /** How many older events of the transaction are not written, because newer ones alone are as many as are kept. */
  #skipped = 0

  /** The database may have changed without this log. */
  invalidate(): void {
    this.#count = undefined
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
        const at = timestampOf(now)
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
      const count = this.#count ?? (yield* begin(connection))
      for (let slice = 0; slice * rowsPerInsert < rows.length; slice++) {
        yield* insert(connection, rows.slice(slice * rowsPerInsert, (slice + 1) * rowsPerInsert))
        if (slice % slicesPerTurn === slicesPerTurn - 1) yield* EventLoop.yieldToIO
      }
      const excess = count + rows.length - keptEvents
      if (excess > 0)
        yield* run(connection, "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT ?)", [excess])
      this.#count = Math.min(count + rows.length, keptEvents)
      return true
    })
  }
}
