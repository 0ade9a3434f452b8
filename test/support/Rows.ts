import type * as Effect from "effect/Effect"
import { execute } from "./Sqlite.ts"

/** Give a database that a server has open many allocations with project folders, for the ports from 1 on. */
export const fill = (database: string, count: number): Effect.Effect<void> =>
  execute(
    database,
    `INSERT INTO allocations (app, instance, service, port)
      WITH RECURSIVE ports (port) AS (SELECT 1 UNION ALL SELECT port + 1 FROM ports WHERE port < ${count})
      SELECT 'app' || (port / 100), 'main', 'service' || port, port FROM ports`,
    `INSERT INTO folders (allocation, path)
      SELECT id, '/nowhere/${"a-folder-with-a-rather-long-name/".repeat(6)}' || port FROM allocations`
  )
