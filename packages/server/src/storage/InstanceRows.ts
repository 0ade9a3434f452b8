import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import type { Allocation } from "@port-server/domain/Allocation"
import type { EnsureRequest, ServiceRequest } from "@port-server/domain/Ensure"
import { largestPage } from "@port-server/domain/LargestPage"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as EventLoop from "../runtime/EventLoop.ts"
import { allocations, ids } from "./AllocationQueries.ts"
import { columns, isReadable } from "./AllocationRow.ts"
import { query } from "./Query.ts"

type Instance = Pick<EnsureRequest, "app" | "instance">

/** The project folder of an allocation, and the device of the folder's parent, where it is known. */
export interface PlacedRow {
  readonly id: number
  readonly path: string
  readonly device: string | undefined
}

/** Rows of folders that are read at a time. */
const pageSize = 100

const placedRows = query(Schema.Struct({ id: Schema.Int, path: Schema.String, device: Schema.NullOr(Schema.String) }))
const serviceRows = query(Schema.Struct({ service: Schema.String, first: Schema.Int }))
const instanceRows = query(Schema.Struct({ instance: Schema.NullOr(Schema.String) }))
const matches = query(Schema.Struct({ matches: Schema.Int }))

const exists = (connection: Connection, sql: string, parameters: ReadonlyArray<string>) =>
  Effect.map(
    matches(connection, `SELECT EXISTS (SELECT 1 FROM ${sql}) AS matches`, parameters),
    ([row]) => row?.matches === 1
  )

const ofInstance = "app = ? AND instance = ?"

const ofFolder = `SELECT instance FROM folders CROSS JOIN allocations ON id = allocation
  WHERE path = ? AND app = ? AND typeof(instance) = 'text' AND ${isReadable("allocations")}`

// The plus keeps SQLite from looking for the extreme in the order of another index, row by row.
const answering = `WITH wanted AS (
    SELECT ? AS app, ? AS instance, value ->> 'service' AS service, value ->> 'port' AS port FROM json_each(?))
  SELECT ${columns} FROM allocations WHERE id IN (
    SELECT CASE WHEN wanted.port > 0 THEN
      (SELECT id FROM allocations AS own
        WHERE (app, instance, service, own.port) = (wanted.app, wanted.instance, wanted.service, wanted.port))
    ELSE coalesce(
      (SELECT max(+id) FROM allocations AS own JOIN folders ON allocation = id
        WHERE (app, instance, service) = (wanted.app, wanted.instance, wanted.service) AND ${isReadable("own")}),
      (SELECT min(+id) FROM allocations AS own
        WHERE (app, instance, service) = (wanted.app, wanted.instance, wanted.service) AND ${isReadable("own")})) END
    FROM wanted)
  ORDER BY id`

/** What a transaction reads of an instance: the rows that decide, however many it has. */
export interface InstanceOps {
  /**
   * The allocations that answer for services, by id: the one with the port asked for; otherwise the newest that was ensured
   * for a folder, and else the oldest, so that a port allocated beside it later on changes no answer.
   */
  readonly answering: (
    instance: Instance,
    services: ReadonlyArray<ServiceRequest>
  ) => Effect.Effect<ReadonlyArray<Allocation>, SqlError>
  /**
   * The allocations of services, by id: {@link largestPage} of them where there are more, first of all those that were
   * ensured for a folder last.
   */
  readonly ofServices: (
    instance: Instance,
    services: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<Allocation>, SqlError>
  /** The names of the services, by their oldest allocations; `limit` of them where there are more. */
  readonly services: (instance: Instance, limit: number) => Effect.Effect<ReadonlyArray<string>, SqlError>
  /** The folders of the allocations whose id is larger than `after`, by id: a page of them, empty at the end. */
  readonly folders: (instance: Instance, after?: number) => Effect.Effect<ReadonlyArray<PlacedRow>, SqlError>
  /** Whether an allocation was ensured for the folder. */
  readonly hasFolder: (instance: Instance, path: string) => Effect.Effect<boolean, SqlError>
  /** Whether an allocation was ensured for no folder. */
  readonly hasUnplaced: (instance: Instance) => Effect.Effect<boolean, SqlError>
  /** The instance of the app that has allocations for the folder: the wished one, or that of the newest. */
  readonly ofFolder: (wished: Instance, path: string) => Effect.Effect<string | undefined, SqlError>
}

/** The operations on a connection. */
export const operations = (connection: Connection): InstanceOps => ({
  answering: ({ app, instance }, services) =>
    allocations(connection, answering, [app, instance, JSON.stringify(services)]),

  ofServices: ({ app, instance }, services) =>
    Effect.map(
      allocations(
        connection,
        `SELECT ${columns} FROM allocations
          WHERE ${ofInstance} AND service IN (SELECT value FROM json_each(?))
          ORDER BY path IS NULL, CASE WHEN path IS NULL THEN id ELSE -id END LIMIT ${largestPage}`,
        [app, instance, JSON.stringify(services)]
      ),
      (found) => found.toSorted((one, other) => one.id - other.id)
    ),

  services: ({ app, instance }, limit) =>
    Effect.map(
      serviceRows(
        connection,
        `SELECT service, min(id) AS first FROM allocations WHERE ${ofInstance} AND ${isReadable("allocations")}
          GROUP BY service LIMIT ?`,
        [app, instance, limit]
      ),
      (rows) => rows.toSorted((one, other) => one.first - other.first).map(({ service }) => service)
    ),

  folders: ({ app, instance }, after = ids.below) =>
    placedRows(
      connection,
      `SELECT id, path, CASE WHEN typeof(device) = 'text' THEN device END AS device
        FROM allocations JOIN folders ON allocation = id
        WHERE ${ofInstance} AND id > ? AND ${isReadable("allocations")} ORDER BY id LIMIT ${pageSize}`,
      [app, instance, after]
    ).pipe(
      Effect.tap((rows) => (rows.length < pageSize ? Effect.void : EventLoop.yieldToIO)),
      Effect.map((rows) => rows.map(({ device, ...row }) => ({ ...row, device: device ?? undefined })))
    ),

  hasFolder: ({ app, instance }, path) =>
    exists(connection, `folders JOIN allocations ON id = allocation WHERE path = ? AND ${ofInstance}`, [
      path,
      app,
      instance
    ]),

  hasUnplaced: ({ app, instance }) =>
    exists(
      connection,
      `allocations WHERE ${ofInstance} AND ${isReadable("allocations")}
        AND NOT EXISTS (SELECT 1 FROM folders WHERE allocation = id)`,
      [app, instance]
    ),

  ofFolder: ({ app, instance }, path) =>
    Effect.map(
      instanceRows(
        connection,
        `SELECT coalesce((${ofFolder} AND instance = ? LIMIT 1), (${ofFolder} ORDER BY allocation DESC LIMIT 1)) AS instance`,
        [path, app, instance, path, app]
      ),
      ([row]) => row?.instance ?? undefined
    )
})
