import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as Effect from "effect/Effect"

/** Run statements on a database file, which is made where it is missing, in the journal mode that a new file has. */
export const execute = (filename: string, ...statements: ReadonlyArray<string>): Effect.Effect<void> =>
  SqliteClient.make({ filename, disableWAL: true }).pipe(
    Effect.flatMap((sql) => Effect.forEach(statements, (statement) => sql.unsafe(statement))),
    Effect.provide(Reactivity.layer),
    Effect.scoped,
    Effect.orDie,
    Effect.asVoid
  )

/** The table as the original Go port-server made it. */
export const originalSchema = `CREATE TABLE allocations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  app TEXT NOT NULL,
  instance TEXT NOT NULL,
  service TEXT NOT NULL,
  port INTEGER NOT NULL UNIQUE,
  created_at TEXT NOT NULL DEFAULT (datetime('now')),
  UNIQUE(app, instance, service, port)
)`
