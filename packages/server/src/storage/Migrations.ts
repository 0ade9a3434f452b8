import type { Connection } from "@effect/sql/SqlConnection"
import { StorageUnavailable } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { query, run } from "./Query.ts"

/**
 * Not the Migrator of @effect/sql, which keeps its own table: the version is SQLite's `user_version`, so that the original
 * program's database stays readable to it and foreign databases are recognized.
 *
 * The schema's history: entry N brings a database from version N to N + 1. A database of the original Go port-server has
 * version 0 and the table already.
 */
const migrations: ReadonlyArray<string> = [
  `CREATE TABLE IF NOT EXISTS allocations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL,
    instance TEXT NOT NULL,
    service TEXT NOT NULL,
    port INTEGER NOT NULL UNIQUE,
    created_at TEXT NOT NULL DEFAULT (datetime('now')),
    UNIQUE(app, instance, service, port)
  )`,
  // Project folders have a table of their own, so that the original one stays unchanged.
  `CREATE TABLE folders (
    allocation INTEGER PRIMARY KEY REFERENCES allocations(id) ON DELETE CASCADE,
    path TEXT NOT NULL
  )`,
  // The device that the parent of the folder was on: whether an absent folder is gone or its disk is not mounted.
  "ALTER TABLE folders ADD COLUMN device TEXT",
  "CREATE INDEX folders_path ON folders (path)",
  // home: the git directory, outside git the folder; home_file, folder_file: what stays the same when they are moved.
  `CREATE TABLE working_copies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    home TEXT NOT NULL CHECK (typeof(home) = 'text'),
    home_file TEXT NOT NULL DEFAULT '' CHECK (typeof(home_file) = 'text'),
    project TEXT NOT NULL DEFAULT '' CHECK (typeof(project) = 'text'),
    folder TEXT NOT NULL CHECK (typeof(folder) = 'text'),
    folder_file TEXT NOT NULL DEFAULT '' CHECK (typeof(folder_file) = 'text'),
    device TEXT CHECK (typeof(device) IN ('text', 'null')),
    app TEXT NOT NULL CHECK (typeof(app) = 'text'),
    app_from_folder INTEGER NOT NULL DEFAULT 0 CHECK (app_from_folder IN (0, 1)),
    instance TEXT NOT NULL CHECK (typeof(instance) = 'text')
  )`,
  "CREATE INDEX working_copies_home ON working_copies (home)",
  "CREATE INDEX working_copies_folder ON working_copies (folder)",
  "CREATE INDEX working_copies_file ON working_copies (home_file) WHERE home_file <> ''",
  "CREATE INDEX working_copies_instance ON working_copies (app, instance)",
  // The git directories of the folders that there are become known when they ensure again.
  `INSERT INTO working_copies (home, folder, device, app, instance)
    SELECT path, path, max(CASE WHEN typeof(device) = 'text' THEN device END), app, instance
    FROM folders JOIN allocations ON allocations.id = allocation
    WHERE typeof(path) = 'text' AND typeof(app) = 'text' AND typeof(instance) = 'text'
    GROUP BY path, app, instance ORDER BY min(allocation)`,
  `CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    allocation INTEGER NOT NULL,
    app TEXT NOT NULL,
    instance TEXT NOT NULL,
    service TEXT NOT NULL,
    port INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    path TEXT,
    moved_from TEXT,
    client TEXT
  ) STRICT`,
  // The ids of a database that replaces another one are larger: who followed the other one notices that.
  "INSERT INTO sqlite_sequence (name, seq) VALUES ('events', CAST(unixepoch('subsec') * 1000000 AS INTEGER))",
  // The rows of an instance by id.
  "CREATE INDEX allocations_instance ON allocations (app, instance)",
  // Whether a project file has named the service.
  "ALTER TABLE folders ADD COLUMN named INTEGER NOT NULL DEFAULT 0",
  // The folders that working copies were moved from, in that order: the labels of containers keep them.
  `CREATE TABLE former_folders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    working_copy INTEGER NOT NULL REFERENCES working_copies(id) ON DELETE CASCADE,
    folder TEXT NOT NULL,
    UNIQUE (working_copy, folder)
  ) STRICT`,
  "CREATE INDEX former_folders_folder ON former_folders (folder)"
]

const columns = ["id", "app", "instance", "service", "port", "created_at"]

/** A database that this program must not write; `message` completes "the database …". */
export class ForeignDatabase extends Schema.TaggedError<ForeignDatabase>()("ForeignDatabase", {
  message: Schema.String
}) {}

const versions = query(Schema.Struct({ user_version: Schema.Int }))
const names = query(Schema.Struct({ name: Schema.String }))

const version = (connection: Connection) =>
  Effect.map(versions(connection, "PRAGMA user_version"), ([row]) => row?.user_version ?? 0)

/** The tables that statements make. */
const tablesOf = (statements: ReadonlyArray<string>): ReadonlyArray<string> =>
  statements.flatMap((statement) => /^CREATE TABLE (?:IF NOT EXISTS )?(\w+)/.exec(statement)?.[1] ?? [])

/** Whether a schema of a version has the tables of that version, and not yet those of the next ones. */
const hasTablesOf = (current: number, schema: ReadonlyArray<string>): boolean =>
  tablesOf(migrations.slice(0, current)).every((table) => schema.includes(table)) &&
  !tablesOf(migrations.slice(Math.max(current, 1))).some((table) => schema.includes(table))

/** Whether the schema is older than this program's. Fails for the database of a newer port-server or another program. */
export const isOutdated = Effect.fnUntraced(function* (connection: Connection) {
  const current = yield* version(connection)
  const entries = yield* names(connection, "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
  const schema = entries.map(({ name }) => name)
  const found = yield* names(connection, "SELECT name FROM pragma_table_info('allocations')")
  const unique = yield* names(
    connection,
    `SELECT min(info.name) AS name FROM pragma_index_list('allocations') AS list, pragma_index_info(list.name) AS info
      WHERE list."unique" GROUP BY list.name HAVING count(*) = 1`
  )
  const isOurs =
    columns.every((column) => found.some(({ name }) => name === column)) && unique.some(({ name }) => name === "port")
  if (current === 0 && schema.length === 0) return true
  if (isOurs && current > migrations.length) {
    return yield* new ForeignDatabase({ message: "was written by a newer port-server" })
  }
  if (!isOurs || current < 0 || !hasTablesOf(current, schema)) {
    return yield* new ForeignDatabase({ message: "belongs to another program" })
  }
  return current < migrations.length
})

/**
 * Fails unless the schema is this program's: another port-server may have migrated the database since it was opened.
 * Cheap enough for every transaction.
 */
export const verifyVersion = Effect.fnUntraced(function* (connection: Connection) {
  const current = yield* version(connection)
  if (current === migrations.length) return
  return yield* new StorageUnavailable({
    message:
      current > migrations.length
        ? "the database was migrated by a newer port-server: restart port-server with that version"
        : "the database was replaced by one of an older port-server: restart port-server"
  })
})

/** Bring the schema up to date, in the caller's transaction. Another port-server may have done so, or more, meanwhile. */
export const migrate = Effect.fnUntraced(function* (connection: Connection) {
  if (!(yield* isOutdated(connection))) return
  for (const statement of migrations.slice(yield* version(connection))) {
    yield* run(connection, statement)
  }
  yield* run(connection, `PRAGMA user_version = ${migrations.length}`)
})
