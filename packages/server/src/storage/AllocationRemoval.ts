import type { Connection } from "@effect/sql/SqlConnection"
import type { Allocation } from "@port-server/domain/Allocation"
import type { AllocationFilter, ReleaseFilter } from "@port-server/domain/AllocationFilter"
import { maxPorts } from "@port-server/domain/Block"
import { keptEvents } from "@port-server/domain/Event"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as EventLoop from "../runtime/EventLoop.ts"
import { and, ids as idRange, pageSize, rowsOf } from "./AllocationQueries.ts"
import * as AllocationRow from "./AllocationRow.ts"
import { query } from "./Query.ts"

const ports = query(Schema.Struct({ port: Schema.Unknown }))
const idTexts = query(Schema.Struct({ id: Schema.String }))

// A row whose name ends in +N is of a block if the row N ports before it has the name without that.
// The plus keeps SQLite from searching by the id instead of the port.
const blockNumber = "CAST(substr(next.service, length(rtrim(next.service, '0123456789')) + 1) AS INTEGER)"

/** The condition of a filter, and of the further ports of the blocks whose first one matches it. */
const withBlocks = (filter: AllocationFilter) => {
  const { condition, parameters } = and(filter)
  return {
    condition: `AND id IN (
      WITH first AS (SELECT id FROM allocations WHERE TRUE ${condition})
      SELECT id FROM first UNION ALL SELECT next.id FROM allocations AS next CROSS JOIN allocations AS head
        ON head.port = next.port - ${blockNumber} AND head.app = next.app AND head.instance = next.instance
          AND head.service || '+' || (next.port - head.port) = next.service
        WHERE next.service GLOB '*+[1-9]*' AND ${blockNumber} BETWEEN 1 AND ${maxPorts - 1}
          AND +head.id IN (SELECT id FROM first))`,
    parameters
  }
}

/** Ids of any size, and so as text. */
export type Ids = ReadonlyArray<string>

const isIds = (which: ReleaseFilter | ReadonlyArray<number>): which is ReadonlyArray<number> => Array.isArray(which)

/** The ids of the rows that match the filter, ascending; or the given ones. */
export const idsOf = Effect.fnUntraced(function* (
  connection: Connection,
  which: ReleaseFilter | number | ReadonlyArray<number>
) {
  if (typeof which === "number") return [String(which)]
  if (isIds(which)) return which.map(String)
  const { condition, parameters } = which.block === true ? withBlocks(which) : and(which)
  const sql = `SELECT CAST(id AS TEXT) AS id FROM allocations WHERE TRUE ${condition} ORDER BY allocations.id`
  return (yield* idTexts(connection, sql, parameters)).map(({ id }) => id)
})

const isAmong = "id IN (SELECT CAST(value AS INTEGER) FROM json_each(?))"

/** Do something with some ids at a time; other requests are served in between. */
const inSlices = Effect.fnUntraced(function* <A, E>(ids: Ids, each: (some: string) => Effect.Effect<A, E>) {
  const results: Array<A> = []
  for (let from = 0; from < ids.length; from += pageSize) {
    results.push(yield* each(JSON.stringify(ids.slice(from, from + pageSize))))
    if (ids.length > pageSize) yield* EventLoop.yieldToIO
  }
  return results
})

/** The newest of the rows that are about to be deleted, by id, as far as they are shown in events. */
export const doomed = (connection: Connection, ids: Ids) =>
  Effect.map(
    inSlices(ids.slice(-keptEvents), (some) =>
      rowsOf(
        connection,
        `SELECT ${AllocationRow.columns} FROM (SELECT ${AllocationRow.castColumns} FROM allocations
          WHERE ${isAmong} AND id <= ${idRange.last}) ORDER BY id`,
        [some]
      )
    ),
    (pages): ReadonlyArray<Allocation> => AllocationRow.decodeReadable(pages.flat())
  )

/** Delete the rows with the ids; returns how many there were. `onRemove` learns of their ports. */
export const remove = (connection: Connection, ids: Ids, onRemove: (port: unknown) => void) =>
  Effect.map(
    inSlices(ids, (some) =>
      Effect.map(ports(connection, `DELETE FROM allocations WHERE ${isAmong} RETURNING port`, [some]), (rows) => {
        for (const { port } of rows) onRemove(port)
        return rows.length
      })
    ),
    (counts) => counts.reduce((sum, count) => sum + count, 0)
  )
