import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Allocation } from "@port-server/domain/Allocation"
import { timestampOf } from "@port-server/domain/Timestamp"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as EventLoop from "../runtime/EventLoop.ts"
import { type NewAllocation, sqliteTime } from "./AllocationInsert.ts"
import { query, run } from "./Query.ts"

/** An allocation to be made, as of now where it has no time; `named` where a project file has named its service. */
export type ImportedAllocation = Omit<NewAllocation, "created_at"> &
  Partial<Pick<NewAllocation, "created_at">> & { readonly named?: boolean }

/** Who an allocation belongs to; for a row that cannot be read, the values in it. */
export interface StoredOwner {
  readonly app: unknown
  readonly instance: unknown
  readonly service: unknown
}

/** Ports in one statement that reads. */
const portsPerRead = 500

/** Rows in one statement that writes: more make it no faster. */
const rowsPerInsert = 100

const slicesOf = <A>(items: Iterable<A>, size: number): Iterable<ReadonlyArray<A>> =>
  Chunk.map(Chunk.chunksOf(Chunk.fromIterable(items), size), Chunk.toReadonlyArray)

const rowsOf = query(
  Schema.Struct({ port: Schema.Int, app: Schema.Unknown, instance: Schema.Unknown, service: Schema.Unknown })
)

/** Who holds any of the ports. */
export const owners = (
  connection: Connection,
  wanted: Iterable<number>
): Effect.Effect<ReadonlyMap<number, StoredOwner>, SqlError> =>
  Effect.forEach(slicesOf(wanted, portsPerRead), (ports) => {
    const found = rowsOf(
      connection,
      "SELECT port, app, instance, service FROM allocations WHERE port IN (SELECT value FROM json_each(?))",
      [JSON.stringify(ports)]
    )
    return Effect.zipLeft(found, EventLoop.yieldToIO)
  }).pipe(Effect.map((pages) => new Map(pages.flat().map(({ port, ...owner }) => [port, owner]))))

/** `(?, ?), (?, ?)`: that many rows of that many values. */
const placeholders = (rows: number, values: number) =>
  Array.from({ length: rows }, () => `(${Array.from({ length: values }, () => "?").join(", ")})`).join(", ")

const Inserted = Schema.Struct({ id: Allocation.fields.id, port: Schema.Int })
const inserted = query(Inserted)

/** Insert allocations whose ports have no holder, in statements of many rows; `onInsert` learns of each slice. */
export const insertAll = Effect.fnUntraced(function* (
  connection: Connection,
  all: ReadonlyArray<ImportedAllocation>,
  onInsert: (allocations: ReadonlyArray<Allocation>) => Effect.Effect<void>
) {
  const now = timestampOf(yield* Clock.currentTimeMillis)
  for (const rows of slicesOf(all, rowsPerInsert)) {
    const added = yield* inserted(
      connection,
      `INSERT INTO allocations (app, instance, service, port, created_at) VALUES ${placeholders(rows.length, 5)}
        RETURNING id, port`,
      rows.flatMap(({ app, created_at = now, instance, port, service }) => [
        app,
        instance,
        service,
        port,
        sqliteTime(created_at)
      ])
    )
    const placed = rows.flatMap(({ named = false, path, port }) =>
      path === undefined ? [] : [port, path, named ? 1 : 0]
    )
    if (placed.length > 0) {
      yield* run(
        connection,
        `INSERT OR REPLACE INTO folders (allocation, path, named) SELECT id, column2, column3
          FROM (VALUES ${placeholders(placed.length / 3, 3)}) JOIN allocations ON port = column1`,
        placed
      )
    }
    const ids = new Map(added.map(({ id, port }) => [port, id]))
    yield* onInsert(
      rows.flatMap(({ created_at = now, named: _named, ...row }) => {
        const id = ids.get(row.port)
        return id === undefined ? [] : [new Allocation({ ...row, id, created_at }, { disableValidation: true })]
      })
    )
    yield* EventLoop.yieldToIO
  }
})
