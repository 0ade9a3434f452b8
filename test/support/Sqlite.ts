import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Another program's connection to a database file, for as long as the scope is open. */
export const openDatabase = (filename: string): Effect.Effect<SqliteClient.SqliteClient, never, Scope.Scope> =>
  SqliteClient.make({ filename, disableWAL: true }).pipe(Effect.provide(Reactivity.layer))

/** Run statements on a database file, which is made where it is missing, in the journal mode that a new file has. */
export const execute = (filename: string, ...statements: ReadonlyArray<string>): Effect.Effect<void> =>
  openDatabase(filename).pipe(
    Effect.flatMap((sql) => Effect.forEach(statements, (statement) => sql.unsafe(statement))),
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

/** {@link execute} with the statements in a list. */
export const writeDatabase = (filename: string, statements: ReadonlyArray<string>): Effect.Effect<void> =>
  execute(filename, ...statements)

/** The rows that a query gives to another program. */
export const readDatabase = (filename: string, statement: string) =>
  Effect.scoped(Effect.flatMap(openDatabase(filename), (sql) => Effect.orDie(sql.unsafe(statement))))

/** A fingerprint of the bytes of a file that nobody has open; `missing` when it is not there. */
export const fingerprint = (filename: string): string =>
  existsSync(filename) ? createHash("sha256").update(readFileSync(filename)).digest("hex") : "missing"
