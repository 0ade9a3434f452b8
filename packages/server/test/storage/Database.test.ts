import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, expectError, listed, portStatus } from "../../../../test/support/Api.ts"
import { bin, type PortServer, start, startServer, temporaryFolder } from "../../../../test/support/Programs.ts"
import {
  fingerprint,
  openDatabase,
  originalSchema,
  readDatabase,
  writeDatabase
} from "../../../../test/support/Sqlite.ts"
import { call } from "../../../../test/support/Wire.ts"

const path = "/v1/allocations"
const owner = { app: "myapp", instance: "dev", service: "web" }

const all = (server: PortServer) => Effect.map(call(server.port, "GET", path), ({ json }) => json)

const stop = (server: PortServer) =>
  Effect.suspend(() => {
    server.process.kill("SIGTERM")
    return server.ended
  })

/** A folder with a database that another program wrote. */
const folderWith = (statements: ReadonlyArray<string>) =>
  Effect.tap(temporaryFolder, (folder) => writeDatabase(join(folder, "ports.db"), statements))

const insert = (id: number, app: string, port: number, created = "'2025-02-08 15:04:05'") =>
  `INSERT INTO allocations (id, app, instance, service, port, created_at) VALUES (${id}, ${app}, 'dev', 'web', ${port}, ${created})`

const row = (id: number, app: string, port: number, created_at = "2025-02-08T15:04:05Z") => ({
  id,
  app,
  instance: "dev",
  service: "web",
  port,
  created_at
})

describe("a database that the original Go port-server wrote", () => {
  const statements = [
    originalSchema,
    insert(1, "'plain'", 3000),
    insert(4, "'after a gap'", 5432),
    insert(5, "'port out of range'", 70_000),
    insert(6, "'negative port'", -5),
    insert(7, "'port zero'", 0),
    insert(8, "'esc' || char(27) || '[31m' || char(10)", 3001),
    insert(9, "'bidi' || char(8238)", 3002),
    insert(10, "''", 3003),
    insert(11, `'${"x".repeat(400)}'`, 3004),
    "DELETE FROM allocations WHERE id = 11",
    insert(12, "'żółw 🐢'", 3006),
    insert(13, `'${"y".repeat(300)}'`, 3007)
  ]
  const rows = [
    row(1, "plain", 3000),
    row(4, "after a gap", 5432),
    row(5, "port out of range", 70_000),
    row(6, "negative port", -5),
    row(7, "port zero", 0),
    row(8, "esc\u001b[31m\n", 3001),
    row(9, "bidi\u202e", 3002),
    row(10, "", 3003),
    row(12, "żółw 🐢", 3006),
    row(13, "y".repeat(300), 3007)
  ]

  for (const journal of ["WAL", "DELETE"]) {
    describe(`with journal mode ${journal}`, () => {
      const goDatabase = folderWith([`PRAGMA journal_mode = ${journal}`, ...statements])

      it.scopedLive("opens, and every row is listed", () =>
        Effect.gen(function* () {
          const server = yield* startServer({ folder: yield* goDatabase })
          expect(yield* all(server)).toEqual(rows)
        })
      )

      it.scopedLive("keeps every row byte for byte, also after it was used and closed", () =>
        Effect.gen(function* () {
          const folder = yield* goDatabase
          const query = "SELECT *, hex(app) AS bytes, typeof(port) AS type FROM allocations ORDER BY id"
          const before = yield* readDatabase(join(folder, "ports.db"), query)
          const server = yield* startServer({ folder })
          const { id } = yield* allocate(server.port, { app: "new" })
          yield* call(server.port, "DELETE", `${path}/${id}`)
          yield* stop(server)
          expect(yield* readDatabase(server.database, query)).toEqual(before)
          expect(before).toHaveLength(rows.length)
        })
      )

      it.scopedLive("is sound and can be read by the Go program: same table, WAL", () =>
        Effect.gen(function* () {
          const folder = yield* goDatabase
          const schema = "SELECT name, sql FROM sqlite_schema WHERE name = 'allocations'"
          const before = yield* readDatabase(join(folder, "ports.db"), schema)
          const server = yield* startServer({ folder })
          yield* allocate(server.port, { app: "new" })
          yield* stop(server)
          expect(yield* readDatabase(server.database, schema)).toEqual(before)
          expect(yield* readDatabase(server.database, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }])
          expect(yield* readDatabase(server.database, "PRAGMA journal_mode")).toEqual([{ journal_mode: "wal" }])
        })
      )

      it.scopedLive("goes on with ids above every one that was ever given", () =>
        Effect.gen(function* () {
          const { port } = yield* startServer({ folder: yield* goDatabase })
          expect((yield* allocate(port, { app: "next" })).id).toBe(14)
        })
      )

      it.scopedLive("its held ports are skipped by auto-assignment and conflict when asked for", () =>
        Effect.gen(function* () {
          const { port } = yield* startServer({ folder: yield* goDatabase })
          const given = yield* Effect.forEach([1, 2, 3], () => allocate(port, { app: "next" }))
          expect(given.map((allocation) => allocation.port)).toEqual([3004, 3005, 3008])
          const answer = yield* call(port, "POST", path, { ...owner, port: 3001 })
          expect({ status: answer.status, json: answer.json }).toEqual({
            status: 409,
            json: { error: "port already allocated", holder: row(8, "esc\u001b[31m\n", 3001) }
          })
        })
      )

      it.scopedLive("its odd rows can be checked, filtered and released", () =>
        Effect.gen(function* () {
          const { port } = yield* startServer({ folder: yield* goDatabase })
          expect((yield* call(port, "GET", "/v1/ports/3002")).json).toMatchObject({
            available: false,
            holder: row(9, "bidi\u202e", 3002)
          })
          expect(yield* listed(port, "esc\u001b[31m\n")).toEqual([row(8, "esc\u001b[31m\n", 3001)])
          expect((yield* call(port, "DELETE", `${path}/5`)).json).toEqual({ status: "deleted" })
          expect((yield* call(port, "DELETE", `${path}/10`)).json).toEqual({ status: "deleted" })
          expect((yield* call(port, "DELETE", path, { app: "esc\u001b[31m\n" })).json).toEqual({ deleted: 1 })
          expect((yield* call(port, "DELETE", path, { app: "y".repeat(300) })).json).toEqual({ deleted: 1 })
        })
      )
    })
  }

  it.scopedLive("a time that SQLite wrote with its default is listed in UTC with T and Z", () =>
    Effect.gen(function* () {
      const folder = yield* folderWith([
        originalSchema,
        "INSERT INTO allocations (app, instance, service, port) VALUES ('a', 'b', 'c', 80)"
      ])
      const [stored] = yield* readDatabase(join(folder, "ports.db"), "SELECT created_at FROM allocations")
      const server = yield* startServer({ folder, env: { TZ: "America/St_Johns" } })
      const text = String(Reflect.get(stored ?? {}, "created_at"))
      expect(yield* all(server)).toEqual([expect.objectContaining({ created_at: `${text.replace(" ", "T")}Z` })])
    })
  )

  it.scopedLive("with no row yet opens as an empty registry", () =>
    Effect.gen(function* () {
      const server = yield* startServer({ folder: yield* folderWith([originalSchema]) })
      expect(yield* all(server)).toEqual([])
      expect((yield* allocate(server.port, { app: "first" })).id).toBe(1)
    })
  )

  it.scopedLive("whose range is all taken: 409 no free ports in range 3000-9999", () =>
    Effect.gen(function* () {
      const folder = yield* folderWith([
        originalSchema,
        `WITH RECURSIVE p(port) AS (SELECT 3000 UNION ALL SELECT port + 1 FROM p WHERE port < 9999)
          INSERT INTO allocations (app, instance, service, port) SELECT 'full', 'dev', 'web', port FROM p`
      ])
      const { port } = yield* startServer({ folder })
      expectError(yield* call(port, "POST", path, owner), 409, "no free ports in range 3000-9999")
      expect((yield* call(port, "DELETE", path, { app: "full" })).json).toEqual({ deleted: 7000 })
    })
  )
})

describe("a database that this program wrote", () => {
  it.scopedLive("stores created_at as YYYY-MM-DD HH:MM:SS", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { created_at } = yield* allocate(server.port, { app: "time" })
      const stored = yield* readDatabase(server.database, "SELECT created_at FROM allocations")
      expect(stored).toEqual([{ created_at: created_at.replace("T", " ").replace("Z", "") }])
    })
  )

  it.scopedLive("has the table of the specification", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const columns = yield* readDatabase(
        server.database,
        "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('allocations')"
      )
      expect(columns).toEqual([
        { name: "id", type: "INTEGER", notnull: 0, dflt_value: null, pk: 1 },
        { name: "app", type: "TEXT", notnull: 1, dflt_value: null, pk: 0 },
        { name: "instance", type: "TEXT", notnull: 1, dflt_value: null, pk: 0 },
        { name: "service", type: "TEXT", notnull: 1, dflt_value: null, pk: 0 },
        { name: "port", type: "INTEGER", notnull: 1, dflt_value: null, pk: 0 },
        { name: "created_at", type: "TEXT", notnull: 1, dflt_value: "datetime('now')", pk: 0 }
      ])
      const unique = yield* readDatabase(
        server.database,
        `SELECT group_concat(c.name) AS columns FROM pragma_index_list('allocations') AS i, pragma_index_info(i.name) AS c
          WHERE i."unique" GROUP BY i.name ORDER BY columns`
      )
      expect(unique).toEqual([{ columns: "app,instance,service,port" }, { columns: "port" }])
    })
  )

  it.scopedLive("is one file without -wal and -shm after a stop", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server.port, { app: "app" })
      expect((yield* stop(server)).code).toBe(0)
      expect(readdirSync(server.home)).toEqual(["ports.db"])
    })
  )

  it.scopedLive("is not changed by a start and a stop", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* stop(yield* startServer({ folder }))
      const before = fingerprint(join(folder, "ports.db"))
      yield* stop(yield* startServer({ folder }))
      expect(fingerprint(join(folder, "ports.db"))).toBe(before)
    })
  )
})

describe("another program that has the same file open", () => {
  it.scopedLive("sees what was acknowledged", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const sql = yield* openDatabase(server.database)
      const { id } = yield* allocate(server.port, { app: "app", port: 80 })
      expect(yield* sql.unsafe("SELECT id, app, port FROM allocations")).toEqual([{ id, app: "app", port: 80 }])
    })
  )

  it.scopedLive("adds a row that is listed, checked and skipped at once", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server.port, { app: "ours" })
      const sql = yield* openDatabase(server.database)
      yield* sql.unsafe(insert(50, "'theirs'", 3001))
      expect(yield* listed(server.port, "theirs")).toEqual([row(50, "theirs", 3001)])
      expect((yield* call(server.port, "GET", "/v1/ports/3001")).json).toMatchObject({ available: false })
      expect((yield* allocate(server.port, { app: "ours" })).port).toBe(3002)
    })
  )

  it.scopedLive("deletes a row whose port is given again at once", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server.port, { app: "ours" })
      yield* allocate(server.port, { app: "ours" })
      const sql = yield* openDatabase(server.database)
      yield* sql.unsafe("DELETE FROM allocations WHERE port = 3000")
      expect(yield* portStatus(server.port, 3000)).toEqual({ port: 3000, available: true })
      expect((yield* allocate(server.port, { app: "ours" })).port).toBe(3000)
    })
  )

  it.scopedLive("a second port-server: of both together no port is given twice", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const servers = [yield* startServer({ folder }), yield* startServer({ folder })]
      const given = yield* Effect.all(
        Array.from({ length: 20 }, () =>
          servers.map((server) => Effect.map(allocate(server.port, { app: "both" }), ({ port }) => port))
        ).flat(),
        { concurrency: 8 }
      )
      expect(given.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => 3000 + index))
    })
  )

  it.scopedLive("holds the lock: reads are answered, a write gets 503 with Retry-After, and works afterwards", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const holder = yield* allocate(server.port, { app: "before" })
      const sql = yield* openDatabase(server.database)
      yield* sql.unsafe("BEGIN IMMEDIATE")
      const [write] = yield* Effect.all(
        [
          call(server.port, "POST", path, { ...owner, app: "during" }),
          Effect.map(listed(server.port, "before"), (json) => expect(json).toEqual([holder]))
        ],
        { concurrency: "unbounded" }
      )
      expectError(write, 503, /locked/)
      expect(write.headers).toMatchObject({
        "retry-after": "1",
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff"
      })
      yield* sql.unsafe("ROLLBACK")
      expect(yield* listed(server.port, "during")).toEqual([])
      yield* allocate(server.port, { app: "after" })
    })
  )

  it.scopedLive("breaks the schema: 500 internal error, without SQL, and details in the log only", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const sql = yield* openDatabase(server.database)
      yield* sql.unsafe("ALTER TABLE allocations RENAME TO hidden")
      for (const answer of [
        yield* call(server.port, "GET", path),
        yield* call(server.port, "POST", path, owner),
        yield* call(server.port, "GET", "/v1/ports/80"),
        yield* call(server.port, "DELETE", `${path}/1`)
      ]) {
        expectError(answer, 500, "internal error")
        expect(answer.headers).toMatchObject({ "content-type": "application/json", "cache-control": "no-store" })
      }
      expect(server.output.stdout + server.output.stderr).toContain("no such table")
    })
  )

  it.scopedLive("overwrites the file: an error a person understands, never a 409, never a success", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server.port, { app: "app" })
      const sql = yield* openDatabase(server.database)
      yield* sql.unsafe("PRAGMA wal_checkpoint(TRUNCATE)")
      writeFileSync(server.database, Buffer.alloc(16_384, "x"), { flag: "r+" })
      expectError(yield* call(server.port, "POST", path, owner), 503, /damaged|not a SQLite database/)
    })
  )
})

describe("a database that is not ours to open", () => {
  const cases: ReadonlyArray<readonly [title: string, said: RegExp, make: (file: string) => Effect.Effect<void>]> = [
    [
      "of a newer port-server",
      /newer port-server/,
      (file) => writeDatabase(file, [originalSchema, insert(1, "'a'", 80), "PRAGMA user_version = 99"])
    ],
    [
      "of a newer port-server in WAL mode",
      /newer port-server/,
      (file) => writeDatabase(file, ["PRAGMA journal_mode = WAL", originalSchema, "PRAGMA user_version = 99"])
    ],
    [
      "of another program",
      /another program/,
      (file) => writeDatabase(file, ["CREATE TABLE notes (text TEXT)", "INSERT INTO notes VALUES ('keep me')"])
    ],
    [
      "of another program that has a version of its own",
      /another program|newer/,
      (file) => writeDatabase(file, ["CREATE TABLE notes (text TEXT)", "PRAGMA user_version = 1"])
    ],
    [
      "of another program whose allocations are others",
      /another program/,
      (file) => writeDatabase(file, ["CREATE TABLE allocations (id INTEGER PRIMARY KEY, owner TEXT)"])
    ],
    [
      "that is no database",
      /not a SQLite database/,
      (file) => Effect.sync(() => writeFileSync(file, "these are my notes\n".repeat(500)))
    ],
    [
      "that is damaged",
      /damaged/,
      (file) =>
        Effect.zipRight(
          writeDatabase(file, [originalSchema, insert(1, "'a'", 80)]),
          Effect.sync(() => writeFileSync(file, Buffer.alloc(4096 - 100, "x"), { flag: "r+" }))
        )
    ]
  ]

  for (const [title, said, make] of cases) {
    it.scopedLive(`${title}: one line that names it, exit 1, and its bytes are left as they were`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const file = join(folder, "ports.db")
        yield* make(file)
        const before = fingerprint(file)
        const files = readdirSync(folder)
        const running = yield* start(bin.portServer, ["--port", "0", "--db", file])
        // One that opens it after all is stopped, and seen below by its exit code.
        yield* Effect.race(running.ended, running.printed(/listening/))
        running.process.kill("SIGTERM")
        const ended = yield* running.ended
        expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code: 1, stdout: "" })
        expect(ended.stderr).toMatch(/^error: [^\n]+\n$/)
        expect(ended.stderr).toContain(file)
        expect(ended.stderr).toMatch(said)
        expect(fingerprint(file)).toBe(before)
        expect(readdirSync(folder)).toEqual(files)
      })
    )
  }

  it.scopedLive("that is a folder: one line that names it, exit 1", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const file = join(folder, "ports.db")
      mkdirSync(file)
      const { code, stderr } = yield* (yield* start(bin.portServer, ["--port", "0", "--db", file])).ended
      expect(code).toBe(1)
      expect(stderr).toMatch(/^error: [^\n]+\n$/)
      expect(stderr).toContain(file)
    })
  )

  it.scopedLive("in a folder that is not there: one line that names it, exit 1, and nothing is made", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const file = join(folder, "missing", "ports.db")
      const { code, stderr } = yield* (yield* start(bin.portServer, ["--port", "0", "--db", file])).ended
      expect(code).toBe(1)
      expect(stderr).toMatch(/^error: [^\n]+\n$/)
      expect(stderr).toContain(file)
      expect(readdirSync(folder)).toEqual([])
    })
  )

  it.scopedLive("that is locked by another program: one line that names it, exit 1, and it is left as it was", () =>
    Effect.gen(function* () {
      const folder = yield* folderWith([originalSchema, insert(1, "'a'", 80)])
      const file = join(folder, "ports.db")
      const before = fingerprint(file)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const sql = yield* openDatabase(file)
          yield* sql.unsafe("BEGIN EXCLUSIVE")
          const { code, stderr } = yield* (yield* start(bin.portServer, ["--port", "0", "--db", file])).ended
          expect(code).toBe(1)
          expect(stderr).toMatch(/^error: [^\n]+\n$/)
          expect(stderr).toContain(file)
          expect(stderr).toMatch(/locked/)
          yield* sql.unsafe("ROLLBACK")
        })
      )
      expect(fingerprint(file)).toBe(before)
    })
  )

  it.scopedLive("an empty file is a new registry", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      writeFileSync(join(folder, "ports.db"), "")
      const server = yield* startServer({ folder })
      expect(yield* all(server)).toEqual([])
      expect((yield* allocate(server.port, { app: "first" })).id).toBe(1)
    })
  )
})
