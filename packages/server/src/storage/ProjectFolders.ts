import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Allocation } from "@port-server/domain/Allocation"
import { SocketProject } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { query, run } from "./Query.ts"

const devices = query(Schema.Struct({ allocation: Schema.Int, device: Schema.String }))
const paths = query(Schema.Struct({ path: Schema.String }))
const projects = query(SocketProject)
const counts = query(Schema.Struct({ count: Schema.Int }))

/** Remember the project folder of an allocation, and the device of the folder's parent. */
export const setProjectPath = (
  connection: Connection,
  allocation: Allocation,
  path: string,
  device: string | undefined
) =>
  Effect.as(
    run(connection, "INSERT OR REPLACE INTO folders (allocation, path, device) VALUES (?, ?, ?)", [
      allocation.id,
      path,
      device ?? null
    ]),
    new Allocation({ ...allocation, path })
  )

/** The devices remembered for the folders of the allocations with these ids. */
export const devicesOf = (
  connection: Connection,
  ids: ReadonlyArray<number>
): Effect.Effect<ReadonlyMap<number, string>, SqlError> =>
  Effect.map(
    devices(
      connection,
      `SELECT allocation, device FROM folders
        WHERE typeof(device) = 'text' AND allocation IN (SELECT value FROM json_each(?))`,
      [JSON.stringify(ids)]
    ),
    (rows) => new Map(rows.map(({ allocation, device }) => [allocation, device]))
  )

/** Which of the paths are project folders, whatever is in them: not those that are projects by a file alone. */
export const among = (
  connection: Connection,
  folders: ReadonlyArray<string>
): Effect.Effect<ReadonlySet<string>, SqlError> =>
  Effect.map(
    paths(
      connection,
      `SELECT DISTINCT path FROM folders WHERE path IN (SELECT value FROM json_each(?))
        AND (path NOT IN (SELECT folder FROM working_copies WHERE project <> '')
          OR path IN (SELECT folder FROM working_copies WHERE project = '' AND home <> folder))`,
      [JSON.stringify(folders)]
    ),
    (rows) => new Set(rows.map(({ path }) => path))
  )

/** Of each of the folders that has an instance of an app, the last one. */
export const projectsAmong = (
  connection: Connection,
  folders: ReadonlyArray<string>
): Effect.Effect<ReadonlyMap<string, SocketProject>, SqlError> =>
  Effect.map(
    projects(
      connection,
      `WITH asked AS (SELECT value FROM json_each(?))
        SELECT path AS folder, app, instance FROM folders JOIN allocations ON allocations.id = folders.allocation
          WHERE path IN asked AND typeof(app) = 'text' AND typeof(instance) = 'text'
        UNION ALL SELECT folder, app, instance FROM working_copies WHERE folder IN asked`,
      [JSON.stringify(folders)]
    ),
    (rows) => new Map(rows.map((row) => [row.folder, row]))
  )

/** Remember that a project file names the services of the allocations with these ids. */
export const setNamed = (connection: Connection, ids: ReadonlyArray<number>): Effect.Effect<void, SqlError> =>
  run(connection, "UPDATE folders SET named = 1 WHERE named = 0 AND allocation IN (SELECT value FROM json_each(?))", [
    JSON.stringify(ids)
  ])

const outdated = "path = ? AND device IS NOT ?"

/** Whether another device than this one, or none, is remembered for the folder. */
export const isOutdated = (connection: Connection, path: string, device: string): Effect.Effect<boolean, SqlError> =>
  Effect.map(
    counts(connection, `SELECT count(*) AS count FROM folders WHERE ${outdated}`, [path, device]),
    ([row]) => (row?.count ?? 0) > 0
  )

/** Remember the device of a folder's parent. */
export const update = (connection: Connection, path: string, device: string): Effect.Effect<void, SqlError> =>
  run(connection, `UPDATE folders SET device = ? WHERE ${outdated}`, [device, path, device])
