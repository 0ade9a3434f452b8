import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { query, run } from "./Query.ts"

/** Most former folders of a working copy: the newest ones. */
const mostFolders = 8

const Place = Schema.Struct({
  folder: Schema.String,
  /** Where the working copy is now that has, or had, this folder: the same one where it has it. */
  present: Schema.String,
  /** Its git directory; outside git, its folder. */
  home: Schema.String,
  /** The project's path in it; empty for its top folder. */
  project: Schema.String
})
/** A folder that a project has, or had before it was moved. */
export type Place = typeof Place.Type

const places = query(Place)
const found = query(Schema.Struct({ found: Schema.Literal(0, 1) }))

/** What is about to be stored of a working copy. */
interface Placed {
  readonly id: number
  readonly folder: string
  /** What stays the same when its git directory is moved; empty where it is not known. */
  readonly home_file: string
}

/**
 * A row of a working copy is about to be this: remember the folder that it has, where that is another one. git gives a new
 * worktree the path of a removed one's git directory: what was made in the folders of that is not the new one's.
 */
export const remember = (connection: Connection, { folder, home_file, id }: Placed): Effect.Effect<void, SqlError> =>
  Effect.zipRight(
    run(
      connection,
      `INSERT OR REPLACE INTO former_folders (working_copy, folder)
        SELECT id, folder FROM working_copies WHERE id = ? AND folder <> ? AND home_file = ? AND home_file <> ''`,
      [id, folder, home_file]
    ),
    run(
      connection,
      `DELETE FROM former_folders WHERE working_copy = ? AND (
        id NOT IN (SELECT id FROM former_folders WHERE working_copy = ? ORDER BY id DESC LIMIT ${mostFolders})
        OR EXISTS (SELECT 1 FROM working_copies WHERE id = ? AND folder <> ? AND home_file <> ?))`,
      [id, id, id, folder, home_file]
    )
  )

/** Whether any working copy was moved. */
export const exist = (connection: Connection): Effect.Effect<boolean, SqlError> =>
  Effect.map(found(connection, "SELECT EXISTS (SELECT 1 FROM former_folders) AS found"), ([row]) => row?.found === 1)

/** Of each of the folders that a project has or had: who has it comes before who had it, and of these the last one. */
export const placesOf = (
  connection: Connection,
  folders: ReadonlyArray<string>
): Effect.Effect<ReadonlyMap<string, Place>, SqlError> =>
  Effect.map(
    places(
      connection,
      `WITH asked AS (SELECT value FROM json_each(?))
        SELECT former.folder, copy.folder AS present, home, project, former.id AS rank
          FROM former_folders AS former JOIN working_copies AS copy ON copy.id = working_copy
          WHERE former.folder IN asked
        UNION ALL SELECT folder, folder, home, project, 9223372036854775807 FROM working_copies WHERE folder IN asked
        UNION ALL SELECT path, path, path, '', 9223372036854775807 FROM folders WHERE path IN asked
        ORDER BY rank`,
      [JSON.stringify(folders)]
    ),
    (rows) => new Map(rows.map((row) => [row.folder, row]))
  )
