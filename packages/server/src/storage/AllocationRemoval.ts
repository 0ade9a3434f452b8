import type { Connection } from "@effect/sql/SqlConnection"
import type { Allocation, AllocationFilter, ReleaseFilter } from "@port-server/domain/Allocation"
import { maxPorts } from "@port-server/domain/Block"
import { keptEvents } from "@port-server/domain/Event"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as EventLoop from "../runtime/EventLoop.ts"
import { and, idOf, ids, pageSize, rowsOf } from "./AllocationQueries.ts"
import * as AllocationRow from "./AllocationRow.ts"
import { query } from "./Query.ts"

const ports = query(Schema.Struct({ port: Schema.Unknown }))

const isIds = (which: ReleaseFilter | ReadonlyArray<number>): which is ReadonlyArray<number> => Array.isArray(which)

/** The condition of a filter, and of the further ports of the blocks whose first one matches it. */
const withBlocks = (filter: AllocationFilter) => {
  const { condition, parameters } = and(filter)
  return {
    condition: `AND id IN (
      WITH first AS (SELECT id, app, instance, service, port FROM allocations WHERE TRUE ${condition})
      SELECT id FROM first UNION ALL SELECT next.id FROM first JOIN allocations AS next
        ON next.app = first.app AND next.instance = first.instance AND next.port > first.port
          AND next.port < first.port + ${maxPorts} AND next.service = first.service || '+' || (next.port - first.port))`,
    parameters
  }
}

const chosen = (which: ReleaseFilter | number | ReadonlyArray<number>) => {
  if (typeof which === "number") return { condition: "AND id = ?", parameters: [which] }
  if (!isIds(which)) return which.block === true ? withBlocks(which) : and(which)
  return { condition: "AND id IN (SELECT value FROM json_each(?))", parameters: [JSON.stringify(which)] }
}

/** The newest rows that are about to be deleted, by id, as far as they are shown in events. */
export const doomed = Effect.fnUntraced(function* (
  connection: Connection,
  which: ReleaseFilter | number | ReadonlyArray<number>
) {
  const { condition, parameters } = chosen(which)
  const found: Array<ReadonlyArray<Allocation>> = []
  for (let next: number | undefined = ids.last, count = 0; next !== undefined && count < keptEvents; ) {
    const rows: ReadonlyArray<unknown> = yield* rowsOf(
      connection,
      `SELECT ${AllocationRow.columns} FROM (SELECT ${AllocationRow.castColumns} FROM allocations
        WHERE id <= ? ${condition} ORDER BY id DESC LIMIT ${pageSize}) ORDER BY id DESC`,
      [next, ...parameters]
    )
    found.push(AllocationRow.decodeReadable(rows))
    count += rows.length
    next = rows.length < pageSize ? undefined : idOf(rows.at(-1)) - 1
    if (next !== undefined) yield* EventLoop.turn
  }
  return found.flat().reverse()
})

/** Delete the rows that match the filter, or have the id or one of the ids; returns their ports. */
export const remove = (connection: Connection, which: ReleaseFilter | number | ReadonlyArray<number>) => {
  const { condition, parameters } = chosen(which)
  return ports(connection, `DELETE FROM allocations WHERE TRUE ${condition} RETURNING port`, parameters)
}
