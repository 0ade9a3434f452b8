import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Allocation } from "@port-server/domain/Allocation"
import {
  Client,
  type EventFilter,
  EventKind,
  type EventQuery,
  type RegistryEvent,
  usualEventPage
} from "@port-server/domain/Event"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { type Parameter, query } from "./Query.ts"

const Row = Schema.Struct({
  id: Schema.Int,
  at: Schema.String,
  kind: EventKind,
  allocation: Allocation.fields.id,
  app: Schema.String,
  instance: Schema.String,
  service: Schema.String,
  port: Schema.Int,
  created_at: Schema.String,
  path: Schema.NullOr(Schema.String),
  moved_from: Schema.NullOr(Schema.String),
  client: Schema.NullOr(Schema.parseJson(Client))
})

const columns = Object.keys(Row.fields).join(", ")
const rowsOf = query(Row)

const Bounds = Schema.Struct({
  /** The last id that was given. */
  last: Schema.Int,
  /** The oldest event that is kept; the one after the last where there is none. */
  oldest: Schema.Int
})
const boundsOf = query(Bounds)
const bounds = `SELECT last, coalesce((SELECT min(id) FROM events), last + 1) AS oldest
  FROM (SELECT coalesce((SELECT max(id) FROM events), max(seq), 0) AS last FROM sqlite_sequence WHERE name = 'events')`

const Start = Schema.Struct({ ...Bounds.fields, isEvent: Schema.Int })

/** The first events after a position, and what is known of the position: all of one moment. */
export interface EventPage {
  readonly events: ReadonlyArray<RegistryEvent>
  /** The last id that was given. */
  readonly last: number
  /** Whether all that has happened after the position is kept. */
  readonly isKnown: boolean
}

const eventOf = (row: typeof Row.Type): RegistryEvent => {
  const { allocation: id, app, at, client, created_at, instance, kind, moved_from, path, port, service } = row
  const fields = { id, app, created_at, instance, port, service, ...(path === null ? {} : { path }) }
  return {
    id: row.id,
    at,
    kind,
    allocation: new Allocation(fields, { disableValidation: true }),
    ...(moved_from === null ? {} : { from: moved_from }),
    ...(client === null ? {} : { by: client })
  }
}

type Condition = readonly [condition: string, value: Parameter]

/** The conditions of a filter. An empty name or port 0 is no condition. */
const conditionsOf = ({ app, instance, kind, port, service }: EventFilter): ReadonlyArray<Condition> => [
  ...(app ? [["app = ?", app] as const] : []),
  ...(instance ? [["instance = ?", instance] as const] : []),
  ...(service ? [["service = ?", service] as const] : []),
  ...(port ? [["port = ?", port] as const] : []),
  ...(kind ? [["kind = ?", kind] as const] : [])
]

const textOf = (conditions: ReadonlyArray<Condition>) => conditions.map(([text]) => `AND ${text}`).join(" ")
const valuesOf = (conditions: ReadonlyArray<Condition>) => conditions.map(([, value]) => value)

/** The events that a query means, the newest last. */
export const matching = (
  connection: Connection,
  { after, before, limit = usualEventPage, since, ...filter }: EventQuery
): Effect.Effect<ReadonlyArray<RegistryEvent>, SqlError> => {
  const conditions = [
    ...conditionsOf(filter),
    ...(after === undefined ? [] : [["id > ?", after] as const]),
    ...(before === undefined ? [] : [["id < ?", before] as const]),
    ...(since === undefined ? [] : [["at >= ?", since] as const])
  ]
  const isForward = after !== undefined || since !== undefined
  const sql = `SELECT ${columns} FROM events WHERE TRUE ${textOf(conditions)}
    ORDER BY id ${isForward ? "ASC" : "DESC"} LIMIT ?`
  return Effect.map(rowsOf(connection, sql, [...valuesOf(conditions), limit]), (rows) => {
    const events = rows.map(eventOf)
    return isForward ? events : events.reverse()
  })
}

/** Where the events that are kept begin and end. */
export const range = (connection: Connection) =>
  Effect.map(boundsOf(connection, bounds), ([found]) => found ?? { last: 0, oldest: 1 })

const decodeStart = Schema.decodeUnknownSync(Schema.NonEmptyArray(Start))
const decodeRows = Schema.decodeUnknownSync(Schema.Array(Row))
const isEvent = (row: unknown) => Predicate.hasProperty(row, "id") && row.id !== null

/** The first events after a position that match the filter. */
export const after = (
  connection: Connection,
  position: number,
  filter: EventFilter,
  limit: number
): Effect.Effect<EventPage, SqlError> => {
  const conditions = conditionsOf(filter)
  const sql = `SELECT last, oldest, EXISTS (SELECT 1 FROM events WHERE id = ?) AS isEvent, ${columns}
    FROM (${bounds}) LEFT JOIN events ON id > ? ${textOf(conditions)} ORDER BY id LIMIT ?`
  const values = [position, position, ...valuesOf(conditions), limit]
  return Effect.map(connection.execute(sql, values, undefined), (rows) => {
    const [{ isEvent: isPositionOfEvent, last, oldest }] = decodeStart(rows.slice(0, 1))
    return {
      last,
      // An id within the range that no event has was given before a backup was put back.
      isKnown: position === last || position === oldest - 1 || isPositionOfEvent === 1,
      events: decodeRows(rows.filter(isEvent)).map(eventOf)
    }
  })
}
