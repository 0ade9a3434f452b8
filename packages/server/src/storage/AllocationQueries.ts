import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import type { Allocation } from "@port-server/domain/Allocation"
import type { ListFilter } from "@port-server/domain/AllocationFilter"
import { largestPage } from "@port-server/domain/LargestPage"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as EventLoop from "../runtime/EventLoop.ts"
import * as AllocationRow from "./AllocationRow.ts"
import { type Parameter, query, run } from "./Query.ts"

const { columns } = AllocationRow

/** Most allocations that are read or encoded at a time: a millisecond or two. */
export const pageSize = largestPage

/** The ids that a JSON number holds exactly. */
export const ids = { below: Number.MIN_SAFE_INTEGER, last: Number.MAX_SAFE_INTEGER } as const

/** The condition of a filter, to follow another one, and its parameters. An empty name or port 0 is no condition. */
export const and = ({ app, instance, named, service, port, path }: ListFilter) => {
  const given: Array<readonly [condition: string, value: Parameter]> = []
  if (app) given.push(["app = ?", app])
  if (instance) given.push(["instance = ?", instance])
  if (service) given.push(["service = ?", service])
  if (port) given.push(["port = ?", port])
  if (named) given.push(["id IN (SELECT allocation FROM folders WHERE named = ?)", 1])
  if (path) given.push(["id IN (SELECT allocation FROM folders WHERE path = ?)", path])
  return {
    condition: given.map(([condition]) => `AND ${condition}`).join(" "),
    parameters: given.map(([, value]) => value)
  }
}

export const rowsOf = (connection: Connection, sql: string, parameters: ReadonlyArray<Parameter>) =>
  connection.execute(sql, parameters, undefined)

/** The readable rows of a query for the columns. */
export const allocations = (connection: Connection, sql: string, parameters: ReadonlyArray<Parameter>) =>
  Effect.map(rowsOf(connection, sql, parameters), AllocationRow.decodeReadable)

/** The id of a row. */
export const idOf = (row: unknown): number =>
  Predicate.hasProperty(row, "id") && typeof row.id === "number" ? row.id : ids.last

interface Page {
  readonly allocations: ReadonlyArray<Allocation>
  /** The id after which the next page starts, if there may be one. */
  readonly next: number | undefined
}

/** The next allocations that match the filter, by id, after the id `last`. */
const page = (
  connection: Connection,
  filter: ListFilter,
  last: number,
  size = pageSize
): Effect.Effect<Page, SqlError> => {
  const { condition, parameters } = and(filter)
  const sql = `SELECT ${columns} FROM allocations
    WHERE id > ? AND id <= ${ids.last} ${condition} ORDER BY id LIMIT ?`
  return Effect.map(rowsOf(connection, sql, [last, ...parameters, size]), (rows) => ({
    allocations: AllocationRow.decodeReadable(rows),
    next: rows.length < size ? undefined : idOf(rows.at(-1))
  }))
}

/** The first allocations that match the filter, by id, after the id `after`: fewer than `limit` only at the end. */
export const firstPage = Effect.fnUntraced(function* (
  connection: Connection,
  filter: ListFilter,
  after: number = ids.below,
  limit: number = largestPage
) {
  const found: Array<Allocation> = []
  // Rows that cannot be read are left out, and do not count.
  for (let last: number | undefined = after; last !== undefined && found.length < limit; ) {
    const next: Page = yield* page(connection, filter, last, limit - found.length)
    found.push(...next.allocations)
    last = next.next
  }
  return found
})

/** All allocations that match the filter, in pages, from one snapshot. */
const pages = (snapshot: Effect.Effect<Connection, SqlError, Scope.Scope>, filter: ListFilter) =>
  Effect.gen(function* () {
    const connection = yield* snapshot
    const all: Array<ReadonlyArray<Allocation>> = []
    // One transaction reads one snapshot; closing the connection ends it.
    yield* run(connection, "BEGIN")
    for (let last: number | undefined = ids.below; last !== undefined; ) {
      const found: Page = yield* page(connection, filter, last)
      all.push(found.allocations)
      last = found.next
      yield* EventLoop.yieldToIO
    }
    return all
  }).pipe(Effect.scoped)

/** The allocations that match the filter, by id, from one snapshot. Pages let other requests run in between. */
export const list = (
  reader: Connection,
  snapshot: Effect.Effect<Connection, SqlError, Scope.Scope>,
  filter: ListFilter
): Effect.Effect<ReadonlyArray<ReadonlyArray<Allocation>>, SqlError> =>
  Effect.flatMap(page(reader, filter, ids.below), ({ allocations, next }) =>
    next === undefined ? Effect.succeed([allocations]) : pages(snapshot, filter)
  )

/** The same where they fit on one page; nothing where they do not. */
export const listShort = (reader: Connection, filter: ListFilter) =>
  Effect.map(page(reader, filter, ids.below), ({ allocations, next }) => (next === undefined ? allocations : undefined))

/** The allocations that match the filter, by id. */
export const matching = (connection: Connection, filter: ListFilter) => {
  const { condition, parameters } = and(filter)
  return allocations(connection, `SELECT ${columns} FROM allocations WHERE TRUE ${condition} ORDER BY id`, parameters)
}

/** The allocation that holds the port. */
export const holder = (
  connection: Connection,
  port: number
): Effect.Effect<Allocation | undefined, SqlError | AllocationRow.UnreadableRow> =>
  Effect.flatMap(rowsOf(connection, `SELECT ${columns} FROM allocations WHERE port = ?`, [port]), ([row]) =>
    row === undefined ? Effect.succeed(undefined) : AllocationRow.decode(row)
  )

const holdersBy =
  <E>(decode: (rows: ReadonlyArray<unknown>) => Effect.Effect<ReadonlyArray<Allocation>, E>) =>
  (connection: Connection, wanted: Iterable<number>) =>
    Effect.forEach(Chunk.chunksOf(Chunk.fromIterable(wanted), pageSize), (some) =>
      rowsOf(connection, `SELECT ${columns} FROM allocations WHERE port IN (SELECT value FROM json_each(?))`, [
        JSON.stringify(Chunk.toReadonlyArray(some))
      ]).pipe(Effect.flatMap(decode), Effect.zipLeft(EventLoop.yieldToIO))
    ).pipe(Effect.map((pages) => pages.flat()))

/** The allocations that hold any of the ports. */
export const holders = holdersBy((rows) => Effect.forEach(rows, AllocationRow.decode))

/** The same, without the rows that cannot be read. */
export const readableHolders = holdersBy((rows) => Effect.succeed(AllocationRow.decodeReadable(rows)))

const ports = query(Schema.Struct({ port: Schema.Unknown }))

/** The allocated ports. Another program may have stored a value that is none. */
export const allocatedPorts = (connection: Connection): Effect.Effect<ReadonlyArray<number>, SqlError> =>
  Effect.map(
    ports(connection, "SELECT port FROM allocations WHERE typeof(port) = 'integer' AND port BETWEEN 1 AND 65535"),
    (rows) => rows.flatMap(({ port }) => (typeof port === "number" ? [port] : []))
  )

const counts = query(Schema.Struct({ count: Schema.Int }))

/** How many rows match the filter, up to a page. */
export const countOnPage = (connection: Connection, filter: ListFilter) => {
  const { condition, parameters } = and(filter)
  const sql = `SELECT count(*) AS count FROM (SELECT 1 FROM allocations WHERE TRUE ${condition} LIMIT ${pageSize})`
  return Effect.map(counts(connection, sql, parameters), ([row]) => row?.count ?? 0)
}

/** How many rows there are. */
export const count = (connection: Connection) =>
  Effect.map(counts(connection, "SELECT count(*) AS count FROM allocations"), ([row]) => row?.count ?? 0)
