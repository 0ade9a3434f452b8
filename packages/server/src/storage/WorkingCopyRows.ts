import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as FormerFolders from "./FormerFolders.ts"
import { query, run } from "./Query.ts"

const Row = Schema.Struct({
  id: Schema.Int,
  /** The git directory; outside git, the folder. */
  home: Schema.String,
  /** What stays the same when that is moved; empty where it is not known. */
  home_file: Schema.String,
  /** The project's path in the working copy; empty for its top folder. */
  project: Schema.String,
  /** The project's folder. */
  folder: Schema.String,
  /** What stays the same when that is moved; empty where it is not known. */
  folder_file: Schema.String,
  /** The device of the folder's parent, where it is known. */
  device: Schema.NullOr(Schema.String),
  app: Schema.String,
  /** 1 when the app is named after a folder, and kept when that gets another name. */
  app_from_folder: Schema.Literal(0, 1),
  instance: Schema.String
})
/** A project in a working copy, and the instance that it has of an app. */
export type WorkingCopyRow = typeof Row.Type

/** What is stored of a working copy. */
export type NewWorkingCopy = Omit<WorkingCopyRow, "id">

const rows = query(Row)
const counts = query(Schema.Struct({ count: Schema.Int }))

const moves = query(Schema.Struct({ allocation: Schema.Number }))

const columns = "id, home, home_file, project, folder, folder_file, device, app, app_from_folder, instance"

/** Most rows, but for those of instances that have ports: a folder that releases its ports keeps its row. */
const mostRows = 10_000

/** The rows of a git directory or of a folder. */
const find = (connection: Connection, home: string, folder: string) =>
  rows(connection, `SELECT ${columns} FROM working_copies WHERE home = ? OR folder = ? ORDER BY id`, [home, folder])

/** The rows whose instance has ports. */
export const withPorts = (connection: Connection) =>
  rows(
    connection,
    `SELECT ${columns} FROM working_copies AS copy
      WHERE EXISTS (SELECT 1 FROM allocations WHERE app = copy.app AND instance = copy.instance) ORDER BY id`
  )

/** The rows of the folders. */
export const withFolders = (connection: Connection, folders: ReadonlyArray<string>) =>
  rows(
    connection,
    `SELECT ${columns} FROM working_copies WHERE folder IN (SELECT value FROM json_each(?)) ORDER BY id`,
    [JSON.stringify(folders)]
  )

/** All rows of the instances that the folders have: one may be shared on purpose. */
export const sharing = (connection: Connection, folders: ReadonlyArray<string>) =>
  rows(
    connection,
    `SELECT ${columns} FROM working_copies WHERE (app, instance) IN (
      SELECT app, instance FROM working_copies WHERE folder IN (SELECT value FROM json_each(?))) ORDER BY id`,
    [JSON.stringify(folders)]
  )

/** The rows whose git directory, or folder outside git, is this one in the file system. */
const withFile = (connection: Connection, file: string) =>
  rows(connection, `SELECT ${columns} FROM working_copies WHERE home_file = ? AND home_file <> '' ORDER BY id`, [file])

/** Where a working copy is found to be: its project's folder, or its git directory, which is then its own home. */
export interface FoundFolder {
  readonly path: string
  /** The git directory of who asks from there; outside git, the folder. */
  readonly home: string
  /** The device of the folder's parent. */
  readonly device: string
  /** What stays the same when it is moved; empty where that is not known. */
  readonly file: string
}

const outdatedHome = "home = ? AND home_file <> ?"
// A row of another git directory is about a working copy that was there before, and may have been moved since.
const outdatedFolder = `folder = ? AND (device IS NOT ? OR folder_file <> ?)
  AND (home IN (?, folder) OR folder_file IN ('', ?))`

const outdated = ({ device, file, home, path }: FoundFolder) =>
  ({ home: [path, file], folder: [path, device, file, home, file] }) as const

/** Remember which one in the file system a git directory or folder is, and the device of a folder's parent. */
export const refresh = (connection: Connection, found: FoundFolder) =>
  Effect.zipRight(
    run(connection, `UPDATE working_copies SET home_file = ? WHERE ${outdatedHome}`, [
      found.file,
      ...outdated(found).home
    ]),
    run(connection, `UPDATE working_copies SET device = ?, folder_file = ? WHERE ${outdatedFolder}`, [
      found.device,
      found.file,
      ...outdated(found).folder
    ])
  )

/** Whether {@link refresh} would change anything. */
export const isOutdated = (connection: Connection, found: FoundFolder) =>
  Effect.map(
    counts(
      connection,
      `SELECT (SELECT count(*) FROM working_copies WHERE ${outdatedHome})
        + (SELECT count(*) FROM working_copies WHERE ${outdatedFolder}) AS count`,
      [...outdated(found).home, ...outdated(found).folder]
    ),
    ([row]) => (row?.count ?? 0) > 0
  )

/** The rows of an instance. */
const ofInstance = (connection: Connection, app: string, instance: string) =>
  rows(connection, `SELECT ${columns} FROM working_copies WHERE app = ? AND instance = ? ORDER BY id`, [app, instance])

const placeOf = (copy: NewWorkingCopy) =>
  [copy.home, copy.home_file, copy.project, copy.folder, copy.folder_file, copy.device] as const

/** Store a working copy, and forget old ones without ports when there are very many. */
const insert = (connection: Connection, copy: NewWorkingCopy): Effect.Effect<void, SqlError> =>
  Effect.zipRight(
    run(
      connection,
      `INSERT INTO working_copies (home, home_file, project, folder, folder_file, device, app, app_from_folder, instance)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [...placeOf(copy), copy.app, copy.app_from_folder, copy.instance]
    ),
    run(
      connection,
      `DELETE FROM working_copies AS old WHERE id <= (SELECT max(id) - ${mostRows} FROM working_copies)
        AND NOT EXISTS (SELECT 1 FROM allocations WHERE app = old.app AND instance = old.instance)`
    )
  )

/** Store what a row is now, and which folder it had. */
const update = (connection: Connection, row: WorkingCopyRow): Effect.Effect<void, SqlError> =>
  Effect.zipRight(
    FormerFolders.remember(connection, row),
    run(
      connection,
      `UPDATE working_copies SET home = ?, home_file = ?, project = ?, folder = ?, folder_file = ?, device = ?,
        app_from_folder = ?, instance = ? WHERE id = ?`,
      [...placeOf(row), row.app_from_folder, row.instance, row.id]
    )
  )

/** Forget the rows with these ids. */
const remove = (connection: Connection, ids: ReadonlyArray<number>): Effect.Effect<void, SqlError> =>
  run(connection, "DELETE FROM working_copies WHERE id IN (SELECT value FROM json_each(?))", [JSON.stringify(ids)])

/**
 * The allocations of a folder follow it to another path, once its row has; those of other rows that are still there stay.
 * Returns which ones they are.
 */
export const moveAllocations = (connection: Connection, from: string, to: string, device: string | null) =>
  Effect.map(
    moves(
      connection,
      `UPDATE folders SET path = ?, device = ? WHERE path = ? AND NOT EXISTS (
        SELECT 1 FROM allocations AS own JOIN working_copies AS copy USING (app, instance)
          WHERE own.id = folders.allocation AND copy.folder = folders.path)
        RETURNING allocation`,
      [to, device, from]
    ),
    (rows) => new Set(rows.map(({ allocation }) => allocation))
  )

type Rows = Effect.Effect<ReadonlyArray<WorkingCopyRow>, SqlError>

/** The operations of one transaction on working copies. */
export interface WorkingCopyOps {
  /** Those of a git directory or of a folder. */
  readonly find: (home: string, folder: string) => Rows
  /** Those whose git directory, or folder outside git, is this one in the file system. */
  readonly withFile: (file: string) => Rows
  /** Those that have the instance. */
  readonly ofInstance: (app: string, instance: string) => Rows
  readonly insert: (copy: NewWorkingCopy) => Effect.Effect<void, SqlError>
  readonly update: (row: WorkingCopyRow) => Effect.Effect<void, SqlError>
  readonly remove: (ids: ReadonlyArray<number>) => Effect.Effect<void, SqlError>
}

/** @param written is run before something is written */
export const operations = (connection: Connection, written: Effect.Effect<void>): WorkingCopyOps => ({
  find: (home, folder) => find(connection, home, folder),
  withFile: (file) => withFile(connection, file),
  ofInstance: (app, instance) => ofInstance(connection, app, instance),
  insert: (copy) => Effect.zipRight(written, insert(connection, copy)),
  update: (row) => Effect.zipRight(written, update(connection, row)),
  remove: (ids) => Effect.zipRight(written, remove(connection, ids))
})
