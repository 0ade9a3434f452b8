import type { Connection } from "@effect/sql/SqlConnection"
import { Allocation } from "@port-server/domain/Allocation"
import { StorageUnavailable } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { holder, ids } from "./AllocationQueries.ts"
import { insertOne, query, run } from "./Query.ts"

const matches = query(Schema.Struct({ matches: Schema.Int }))

/** An allocation that has no id yet; `created_at` is of the API, in whole seconds. */
export interface NewAllocation extends Pick<Allocation, "app" | "instance" | "service" | "path" | "created_at"> {
  readonly port: number
}

/** A time of the API as SQLite's `datetime()` writes it: `2025-02-08 15:04:05`. Any other text is unchanged. */
export const sqliteTime = (time: string) => time.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)Z$/, "$1 $2")

const sequence = "(SELECT max(seq) FROM sqlite_sequence WHERE name = 'allocations')"
const highestId = "(SELECT max(id) FROM allocations)"

const insertRow = (
  connection: Connection,
  { app, created_at, instance, port, service }: NewAllocation,
  id: string,
  condition: string
) =>
  Effect.map(
    insertOne(
      connection,
      `INSERT INTO allocations (id, app, instance, service, port, created_at)
        SELECT ${id}, ?, ?, ?, ?, ? WHERE ${condition} ON CONFLICT (port) DO NOTHING`,
      [app, instance, service, port, sqliteTime(created_at)]
    ),
    (rowId) =>
      rowId === undefined
        ? undefined
        : new Allocation(
            { id: Allocation.fields.id.make(rowId), app, instance, service, port, created_at },
            { disableValidation: true }
          )
  )

/** Whether SQLite can give this many ids by itself. */
export const hasIdsFor = (connection: Connection, rows: number) =>
  Effect.map(
    matches(
      connection,
      `SELECT coalesce(${highestId}, 0) < ${ids.last - rows} AND coalesce(${sequence}, 0) < ${ids.last - rows} AS matches`
    ),
    ([row]) => row?.matches === 1
  )

const noIdsLeft = new StorageUnavailable({
  message: "the database has no allocation ids left: its sqlite_sequence is at the end"
})

/** Insert although another program stored a row whose id is above all that this one can give. */
const insertBelow = Effect.fnUntraced(function* (connection: Connection, allocation: NewAllocation) {
  const above = yield* matches(
    connection,
    `SELECT id IS NOT NULL AS matches FROM allocations WHERE id > ${ids.last} LIMIT 1`
  )
  if (above.length === 0) return undefined
  const highest = `max(
    coalesce((SELECT max(id) FROM allocations WHERE id <= ${ids.last}), 0),
    coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'allocations' AND seq <= ${ids.last}), 0))`
  const below = yield* insertRow(connection, allocation, `${highest} + 1`, `${highest} < ${ids.last}`)
  // From here AUTOINCREMENT continues once that row is deleted.
  if (below !== undefined) {
    yield* run(connection, "UPDATE sqlite_sequence SET seq = ? WHERE name = 'allocations'", [below.id])
  }
  return below
})

/** Insert an allocation, or nothing if its port has a holder. */
export const insert = Effect.fnUntraced(function* (connection: Connection, allocation: NewAllocation) {
  const usual = yield* insertRow(
    connection,
    allocation,
    "NULL",
    `coalesce(${highestId}, 0) < ${ids.last} AND coalesce(${sequence}, 0) < ${ids.last}`
  )
  if (usual !== undefined) return usual
  if ((yield* holder(connection, allocation.port)) !== undefined) return undefined
  return (yield* insertBelow(connection, allocation)) ?? (yield* noIdsLeft)
})
