import { readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { Allocation } from "@port-server/domain/Allocation"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { start, temporaryFolder } from "../support/Programs.ts"
import { openDatabase } from "../support/Sqlite.ts"

const Rows = Schema.Array(Allocation)
const Names = Schema.Array(Schema.Struct({ name: Schema.String }))
const Integrity = Schema.Array(Schema.Struct({ integrity_check: Schema.String }))

/** What a database that nobody else has open holds, once SQLite has read what is good of its write-ahead log. */
export interface Content {
  /** What `PRAGMA integrity_check` says. */
  readonly integrity: string
  /** The allocations by id; none in a database that has no table yet. */
  readonly rows: ReadonlyArray<Allocation>
}

/** Open a database as any program does, and look. */
export const contentOf = (filename: string): Effect.Effect<Content> =>
  Effect.gen(function* () {
    const sql = yield* openDatabase(filename)
    const read = <A, I>(schema: Schema.Schema<A, I>, statement: string) =>
      Effect.flatMap(sql.unsafe(statement), Schema.decodeUnknown(schema))
    const checks = yield* read(Integrity, "PRAGMA integrity_check")
    const tables = yield* read(Names, "SELECT name FROM sqlite_schema WHERE name = 'allocations'")
    const rows = yield* tables.length === 0
      ? Effect.succeed([])
      : read(
          Rows,
          `SELECT id, app, instance, service, port, strftime('%Y-%m-%dT%H:%M:%SZ', created_at) AS created_at
            FROM allocations ORDER BY id`
        )
    return { integrity: checks.map(({ integrity_check }) => integrity_check).join("; "), rows }
  }).pipe(Effect.scoped, Effect.orDie)

/** A database file and its write-ahead log, byte for byte. */
export interface Files {
  readonly database: Uint8Array
  readonly wal: Uint8Array
}

/**
 * Copy a database with its log to a folder of its own. Another process does it: a process that has the database open
 * would drop SQLite's locks when it closes a file of its own. The log comes last, so that what it holds fits.
 */
export const copy = (database: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    for (const file of [database, `${database}-wal`]) {
      const { code, stderr } = yield* Effect.flatMap(start("cp", [file, folder]), ({ ended }) => ended)
      if (code !== 0) return yield* Effect.dieMessage(`cp ${file}: ${stderr}`)
    }
    return join(folder, "ports.db")
  })

/** The bytes of a {@link copy}. */
export const filesOf = (copied: string): Effect.Effect<Files> =>
  Effect.promise(async () => ({ database: await readFile(copied), wal: await readFile(`${copied}-wal`) }))

/** What SQLite makes of the files, in a folder for one after another. */
export const recovered = (folder: string, { database, wal }: Files): Effect.Effect<Content> => {
  const file = join(folder, "ports.db")
  return Effect.promise(async () => {
    for (const end of ["", "-wal", "-shm"]) await rm(`${file}${end}`, { force: true })
    await writeFile(file, database)
    await writeFile(`${file}-wal`, wal)
  }).pipe(Effect.zipRight(contentOf(file)))
}

/** Bytes before the first frame of a log (https://sqlite.org/fileformat2.html#the_write_ahead_log). */
export const walHeader = 32

/** Where a log's frames are and which of them end a transaction. */
export interface Frames {
  readonly size: number
  /** For each frame, how many transactions are whole once it is there. */
  readonly commitsThrough: ReadonlyArray<number>
}

/** The frames of a log that was never reset: each carries the salts of its header. */
export const framesOf = (wal: Uint8Array): Frames => {
  const view = new DataView(wal.buffer, wal.byteOffset, wal.byteLength)
  const size = 24 + view.getUint32(8)
  const commitsThrough: Array<number> = []
  let commits = 0
  for (let offset = walHeader; offset + size <= wal.byteLength; offset += size) {
    if (view.getBigUint64(offset + 8) !== view.getBigUint64(16)) throw new Error("the log was reset")
    // The frame that ends a transaction says how large the database is after it.
    if (view.getUint32(offset + 4) !== 0) commits++
    commitsThrough.push(commits)
  }
  return { size, commitsThrough }
}
