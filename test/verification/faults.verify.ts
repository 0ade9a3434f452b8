import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import {
  chmod,
  chown,
  copyFile,
  lchown,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  writeFile
} from "node:fs/promises"
import { createRequire } from "node:module"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { allocate, errorOf, expectError } from "../support/Api.ts"
import { bin, type PortServer, type Running, start, startServer, temporaryFolder } from "../support/Programs.ts"
import { fingerprint, originalSchema, readDatabase, writeDatabase } from "../support/Sqlite.ts"
import { type Answer, call } from "../support/Wire.ts"

const path = "/v1/allocations"
const owner = { app: "a", instance: "b", service: "c" }
const promise = <A>(run: () => Promise<A>) => Effect.promise(run)
const list = (port: number) => Effect.map(call(port, "GET", path), ({ json }) => json)
const rowsOf = (answer: Answer) => (Array.isArray(answer.json) ? [...answer.json] : [])

const isRoot = process.getuid?.() === 0
const nobody = 65534

/** A test that needs something of the machine, and says so where that is missing. */
const needs = (missing: string | undefined) => {
  if (missing !== undefined) console.log(`SKIPPED in faults.verify.ts: ${missing}`)
  return missing === undefined ? it.scopedLive : it.scopedLive.skip
}

/** The address in the line of a server that was started in an odd way. */
const portOf = (running: Running) =>
  Effect.map(running.printed(/listening on http:\/\/127\.0\.0\.1:(\d+), /), ([, digits]) => Number(digits))

/** It ended with one line on stderr that says `what`, and exit 1. */
const expectRefusedStart = (running: Running, what: RegExp | string) =>
  Effect.gen(function* () {
    // One that starts after all is stopped, and seen by its exit code.
    yield* Effect.race(
      running.ended,
      Effect.catchAllCause(running.printed(/listening/), () => Effect.never)
    )
    running.process.kill("SIGTERM")
    const { code, stderr, stdout } = yield* running.ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    expect(stderr).toMatch(/^error: [^\n]+\n$/)
    if (typeof what === "string") expect(stderr).toContain(what)
    else expect(stderr).toMatch(what)
  })

const named = (index: number) => ({
  app: "x".repeat(250),
  instance: "y".repeat(250),
  service: `${index}`.padEnd(250, "z")
})

/** Allocate until the server says that it cannot, by 8 at a time; what was acknowledged, and the refusals. */
const fill = (port: number, most: number) =>
  Effect.gen(function* () {
    const acknowledged: Array<unknown> = []
    const refused: Array<Answer> = []
    for (let index = 0; index < most && refused.length === 0; index += 8) {
      const answers = yield* Effect.all(
        Array.from({ length: 8 }, (_, offset) => call(port, "POST", path, named(index + offset))),
        { concurrency: "unbounded" }
      )
      for (const answer of answers) {
        if (answer.status === 201) acknowledged.push(answer.json)
        else refused.push(answer)
      }
    }
    return { acknowledged, refused }
  })

const byId = (rows: ReadonlyArray<unknown>) => {
  const id = Schema.decodeUnknownSync(Schema.Struct({ id: Schema.Int }))
  return [...rows].sort((one, other) => id(one).id - id(other).id)
}

const expectFull = (refused: ReadonlyArray<Answer>) => {
  expect(refused.length).toBeGreaterThan(0)
  for (const answer of refused) {
    expect([503, 507], answer.body).toContain(answer.status)
    expect(errorOf(answer)).toMatch(/^(cannot open )?the database .+/)
  }
}

const stop = (running: Running) =>
  Effect.suspend(() => {
    running.process.kill("SIGTERM")
    return running.ended
  })

const canMount = (() => {
  if (!isRoot) return "a full disk needs root, to mount a small tmpfs"
  const probe = execFileSync("mktemp", ["-d"], { encoding: "utf8" }).trim()
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", probe]).status === 0
  if (mounted) spawnSync("umount", [probe])
  spawnSync("rmdir", [probe])
  return mounted ? undefined : "a full disk needs the right to mount a tmpfs"
})()

/** A file system of its own of that many KB. */
const smallDisk = (kilobytes: number) =>
  Effect.gen(function* () {
    const folder = join(yield* temporaryFolder, "disk")
    yield* promise(() => mkdir(folder))
    yield* Effect.acquireRelease(
      Effect.sync(() => execFileSync("mount", ["-t", "tmpfs", "-o", `size=${kilobytes}k,mode=0700`, "tmpfs", folder])),
      () => Effect.sync(() => spawnSync("umount", ["-l", folder]))
    )
    return folder
  })

const resize = (folder: string, kilobytes: number) =>
  Effect.sync(() => execFileSync("mount", ["-o", `remount,size=${kilobytes}k`, folder]))

describe("a disk that gets full", () => {
  needs(canMount)("refuses with 507 or 503, still reads, loses nothing, and goes on when there is room", () =>
    Effect.gen(function* () {
      const folder = yield* smallDisk(600)
      const server = yield* startServer({ folder })
      const { acknowledged, refused } = yield* fill(server.port, 5_000)
      expectFull(refused)
      expect(acknowledged.length).toBeGreaterThan(10)
      // Full stays full: no 500, no 409, no success that is none; and reads go on.
      const again = yield* Effect.all(
        Array.from({ length: 10 }, (_, index) => call(server.port, "POST", path, named(9_000 + index))),
        { concurrency: "unbounded" }
      )
      acknowledged.push(...again.filter(({ status }) => status === 201).map(({ json }) => json))
      expectFull(again.filter(({ status }) => status !== 201))
      expect(yield* list(server.port)).toEqual(byId(acknowledged))
      expect((yield* call(server.port, "GET", "/v1/ports/3000")).json).toMatchObject({ available: false })
      yield* resize(folder, 4_000)
      acknowledged.push(yield* allocate(server.port, { app: "room" }))
      expect(yield* list(server.port)).toEqual(byId(acknowledged))
      expect((yield* stop(server)).code).toBe(0)
      const next = yield* startServer({ folder })
      expect(yield* list(next.port)).toEqual(byId(acknowledged))
    })
  )

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    needs(canMount)(
      `and a server that ends full by ${signal}: everything acknowledged is there after a start with room`,
      () =>
        Effect.gen(function* () {
          const folder = yield* smallDisk(500)
          const server = yield* startServer({ folder })
          const { acknowledged, refused } = yield* fill(server.port, 5_000)
          expectFull(refused)
          server.process.kill(signal)
          const ended = yield* server.ended
          if (signal === "SIGTERM") expect(ended).toMatchObject({ code: 0 })
          yield* resize(folder, 4_000)
          const next = yield* startServer({ folder })
          expect(yield* list(next.port)).toEqual(byId(acknowledged))
          yield* allocate(next.port, { app: "room" })
        })
    )
  }

  needs(canMount)("at the start: one line that names the file, exit 1", () =>
    Effect.gen(function* () {
      const folder = yield* smallDisk(16)
      yield* promise(() => writeFile(join(folder, "ballast"), Buffer.alloc(16 * 1024)).catch(() => undefined))
      const database = join(folder, "ports.db")
      yield* expectRefusedStart(yield* start(bin.portServer, ["--port", "0", "--db", database]), database)
    })
  )

  needs(canMount)("at the start of a database that is there: the line says that the disk is full", () =>
    Effect.gen(function* () {
      const folder = yield* smallDisk(300)
      yield* stop(yield* startServer({ folder }))
      spawnSync("dd", ["if=/dev/zero", `of=${join(folder, "ballast")}`, "bs=1k"])
      const database = join(folder, "ports.db")
      const running = yield* start(bin.portServer, ["--port", "0", "--db", database])
      expect(yield* running.ended).toMatchObject({
        code: 1,
        stderr: `error: cannot open the database ${database}: it has no room: the disk is full\n`
      })
    })
  )

  it.scopedLive("by a limit on file sizes (ulimit -f): 507 or 503, and nothing acknowledged is lost", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const script = 'trap "" XFSZ; ulimit -f 800; exec "$0" --port 0 --db "$1"'
      const running = yield* start("/bin/sh", ["-c", script, bin.portServer, join(folder, "ports.db")])
      const port = yield* portOf(running)
      const { acknowledged, refused } = yield* fill(port, 5_000)
      expectFull(refused)
      expect(yield* list(port)).toEqual(byId(acknowledged))
      yield* stop(running)
      const next = yield* startServer({ folder })
      expect(yield* list(next.port)).toEqual(byId(acknowledged))
    })
  )
})

const sqlite = createRequire(join(process.cwd(), "package.json")).resolve("better-sqlite3")

/** Another process that runs the statements on the file, says so, and keeps its connection until it is killed. */
const holder = (file: string, ...statements: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const script = `const d = new (require(process.argv[1]))(process.argv[2]);
      for (const s of process.argv.slice(3)) d.exec(s);
      console.log("holding"); setInterval(() => {}, 1000)`
    const running = yield* start(process.execPath, ["-e", script, sqlite, file, ...statements])
    yield* running.printed(/holding/)
    return running
  })

const release = (running: Running) =>
  Effect.suspend(() => {
    running.process.kill("SIGKILL")
    return running.ended
  })

describe("a write lock of another process", () => {
  it.scopedLive("held for 1 s: 20 writes wait and succeed, reads do not wait", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const first = yield* allocate(server.port, { app: "first" })
      const other = yield* holder(server.database, "BEGIN IMMEDIATE")
      const writes = yield* Effect.fork(
        Effect.all(
          Array.from({ length: 20 }, () => call(server.port, "POST", path, owner)),
          { concurrency: "unbounded" }
        )
      )
      yield* Effect.sleep("500 millis")
      expect(yield* list(server.port)).toEqual([first])
      yield* Effect.sleep("500 millis")
      yield* release(other)
      expect((yield* writes.await.pipe(Effect.flatten)).map(({ status }) => status)).toEqual(
        Array.from({ length: 20 }, () => 201)
      )
      expect(yield* list(server.port)).toHaveLength(21)
    })
  )

  it.scopedLive(
    "held for longer: 503 with Retry-After for every kind of write, reads are answered, then all is well",
    () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const first = yield* allocate(server.port, { app: "first" })
        const other = yield* holder(server.database, "BEGIN IMMEDIATE", "DELETE FROM allocations")
        const writes = yield* Effect.fork(
          Effect.all(
            [
              call(server.port, "POST", path, owner),
              call(server.port, "POST", path, { ...owner, port: 80 }),
              call(server.port, "DELETE", `${path}/${first.id}`),
              call(server.port, "DELETE", path, { app: "first" })
            ],
            { concurrency: "unbounded" }
          )
        )
        // What the other has not committed is not seen.
        for (let round = 0; round < 5; round++) {
          expect(yield* list(server.port)).toEqual([first])
          yield* Effect.sleep("200 millis")
        }
        for (const answer of yield* writes.await.pipe(Effect.flatten)) {
          expectError(answer, 503, /locked/)
          expect(answer.headers["retry-after"]).toBe("1")
        }
        yield* release(other)
        const second = yield* allocate(server.port, { app: "second" })
        expect(yield* list(server.port)).toEqual([first, second])
      })
  )

  it.scopedLive("a reader that stays in its transaction keeps no write from its answer", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const first = yield* allocate(server.port, { app: "first" })
      yield* holder(server.database, "BEGIN", "SELECT * FROM allocations")
      const second = yield* allocate(server.port, { app: "second" })
      expect(yield* list(server.port)).toEqual([first, second])
      expect((yield* stop(server)).code).toBe(0)
    })
  )

  it.scopedLive("an exclusive one at the start: one line, exit 1, and the rows are kept", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const database = join(folder, "ports.db")
      yield* writeDatabase(database, ["PRAGMA journal_mode = WAL", originalSchema])
      const other = yield* holder(
        database,
        "PRAGMA locking_mode = EXCLUSIVE",
        "INSERT INTO allocations (app, instance, service, port) VALUES ('a', 'b', 'c', 80)"
      )
      const running = yield* start(bin.portServer, ["--port", "0", "--db", database])
      yield* expectRefusedStart(running, /locked/)
      yield* release(other)
      const server = yield* startServer({ folder })
      expect(yield* list(server.port)).toMatchObject([{ port: 80 }])
    })
  )
})

const ours = [originalSchema, "PRAGMA user_version = 1", "PRAGMA journal_mode = WAL"]
const insert = (app: string, port: number) =>
  `INSERT INTO allocations (app, instance, service, port, created_at) VALUES ('${app}', 'i', 's', ${port}, '2025-02-08 15:04:05')`
const thousands =
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO allocations(app, instance, service, port) SELECT 'app', 'i', 's', i FROM n"

/** Overwrite a page, counted from the file's beginning, or from its end when negative. */
const damage = (file: string, page: number, bytes = 4096) =>
  promise(async () => {
    const { size } = await stat(file)
    const handle = await open(file, "r+")
    await handle.write(Buffer.alloc(bytes, "garbage!"), 0, bytes, page < 0 ? size + page * 4096 : page * 4096)
    await handle.close()
  })

describe("a damaged database at the start: one line, exit 1, its bytes unchanged", () => {
  for (const [title, page] of [
    ["its first page", 0],
    ["the page of its table", 1],
    ["a page in its middle", 20],
    ["its last page", -1]
  ] as const) {
    it.scopedLive(title, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const database = join(folder, "ports.db")
        yield* writeDatabase(database, [...ours, thousands])
        yield* damage(database, page)
        const before = fingerprint(database)
        yield* expectRefusedStart(yield* start(bin.portServer, ["--port", "0", "--db", database]), database)
        expect(fingerprint(database)).toBe(before)
      })
    )
  }

  it.scopedLive("cut off in its middle", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const database = join(folder, "ports.db")
      yield* writeDatabase(database, [...ours, thousands])
      const half = readFileSync(database).subarray(0, 20 * 4096)
      yield* promise(() => writeFile(database, half))
      const before = fingerprint(database)
      yield* expectRefusedStart(yield* start(bin.portServer, ["--port", "0", "--db", database]), database)
      expect(fingerprint(database)).toBe(before)
    })
  )
})

describe("damaged while it runs", () => {
  it.scopedLive("every answer that needs the damaged part is 503 with a sentence, never a success, 409 or 500", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const database = join(folder, "ports.db")
      yield* writeDatabase(database, [...ours, thousands])
      const server = yield* startServer({ folder })
      const { size } = yield* promise(() => stat(database))
      for (let page = 1; page < size / 4096; page++) yield* damage(database, page)
      for (const [method, target, body] of [
        ["GET", path, undefined],
        ["GET", "/v1/ports/80", undefined],
        ["POST", path, owner],
        ["DELETE", `${path}/1`, undefined],
        ["DELETE", path, { app: "app" }]
      ] as const) {
        expectError(yield* call(server.port, method, target, body), 503, /damaged/)
      }
      expect((yield* call(server.port, "GET", "/healthz")).status).toBe(200)
    })
  )
})

describe("a start that cannot be", () => {
  it.scopedLive("a port that another port-server has: one line that names it, and the other goes on", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const home = yield* temporaryFolder
      const args = ["--port", String(server.port), "--db", join(home, "ports.db")]
      yield* expectRefusedStart(yield* start(bin.portServer, args), new RegExp(`port ${server.port} is already in use`))
      expect(yield* promise(() => readdir(home))).toEqual([])
      yield* allocate(server.port, { app: "still" })
    })
  )

  const setpriv = ["--bounding-set=-dac_override,-dac_read_search"]
  const canDrop = isRoot && spawnSync("setpriv", [...setpriv, "true"]).status === 0
  needs(isRoot && !canDrop ? "permissions bind root only with setpriv" : undefined)(
    "a folder that its user may not read or write: one line that names the file, and nothing changed",
    () =>
      Effect.gen(function* () {
        const folder = join(yield* temporaryFolder, "closed")
        const database = join(folder, "ports.db")
        yield* promise(() => mkdir(folder))
        yield* writeDatabase(database, ours)
        const before = fingerprint(database)
        for (const mode of [0o000, 0o500]) {
          yield* promise(() => chmod(folder, mode))
          const target = mode === 0o500 ? join(folder, "new.db") : database
          const args = ["--port", "0", "--db", target]
          const running = yield* canDrop
            ? start("setpriv", [...setpriv, bin.portServer, ...args])
            : start(bin.portServer, args)
          yield* expectRefusedStart(running, target)
        }
        yield* promise(() => chmod(folder, 0o700))
        expect(fingerprint(database)).toBe(before)
        expect(yield* promise(() => readdir(folder))).toEqual(["ports.db"])
      })
  )
})

/** Every kind of request that needs the database. */
const everyUse = (port: number) =>
  Effect.all([
    call(port, "GET", path),
    call(port, "GET", "/v1/ports/3000"),
    call(port, "POST", path, owner),
    call(port, "POST", path, { ...owner, port: 3000 }),
    call(port, "DELETE", `${path}/1`),
    call(port, "DELETE", path, { app: "kept" })
  ])

const expectUnavailable = (server: PortServer) =>
  Effect.gen(function* () {
    // Whatever the server needs to notice, it does not need long; what it answers until then is not looked at here.
    yield* call(server.port, "GET", path).pipe(
      Effect.repeat({ until: ({ status }) => status === 503, times: 100 }),
      Effect.delay("50 millis")
    )
    for (const answer of yield* everyUse(server.port)) {
      expectError(answer, 503, /^(cannot open )?the database .+/)
    }
    expect((yield* call(server.port, "GET", "/healthz")).status).toBe(200)
  })

/** Wait until the server answers again, for 15 s at most; what it lists then. */
const resumed = (server: PortServer) =>
  Effect.gen(function* () {
    for (let round = 0; round < 150; round++) {
      const answer = yield* call(server.port, "GET", path)
      if (answer.status === 200) return rowsOf(answer)
      expect(answer.status).toBe(503)
      yield* Effect.sleep("100 millis")
    }
    return yield* Effect.dieMessage("the server has not resumed after 15 s")
  })

const parts = ["", "-wal", "-shm"]

const moveAll = (from: string, to: string) =>
  promise(async () => {
    for (const part of parts) if (existsSync(from + part)) await rename(from + part, to + part)
  })

const removeAll = (file: string) =>
  promise(async () => {
    for (const part of parts) await rm(file + part, { force: true })
  })

describe("the database file while the server runs", () => {
  for (const [title, suffixes] of [
    ["alone", [""]],
    ["with -wal and -shm", parts]
  ] as const) {
    it.scopedLive(
      `moved away ${title}: 503 that says so, nothing acknowledged; moved back: goes on with every row`,
      () =>
        Effect.gen(function* () {
          const server = yield* startServer()
          const kept = [yield* allocate(server.port, { app: "kept" }), yield* allocate(server.port, { app: "kept" })]
          const away = join(server.home, "away.db")
          yield* promise(async () => {
            for (const suffix of suffixes) await rename(server.database + suffix, away + suffix)
          })
          yield* expectUnavailable(server)
          yield* promise(async () => {
            for (const suffix of suffixes) await rename(away + suffix, server.database + suffix)
          })
          expect(yield* resumed(server)).toEqual(kept)
          const more = yield* allocate(server.port, { app: "more" })
          expect((yield* stop(server)).code).toBe(0)
          const next = yield* startServer({ folder: server.home })
          expect(yield* list(next.port)).toEqual([...kept, more])
        })
    )
  }

  it.scopedLive("moved away while many write: everything acknowledged is in the file that was moved", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const away = join(server.home, "away.db")
      const writing = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 300 }), () => call(server.port, "POST", path, owner), { concurrency: 8 })
      )
      yield* Effect.sleep("60 millis")
      yield* moveAll(server.database, away)
      const answers = yield* writing.await.pipe(Effect.flatten)
      const acknowledged = answers.filter(({ status }) => status === 201).map(({ json }) => json)
      for (const answer of answers.filter(({ status }) => status !== 201))
        expectError(answer, 503, /^(cannot open )?the database .+/)
      yield* moveAll(away, server.database)
      expect(yield* resumed(server)).toEqual(expect.arrayContaining(acknowledged))
    })
  )

  it.scopedLive("deleted: 503 for reads and writes, and no new file is made", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server.port, { app: "kept" })
      yield* removeAll(server.database)
      yield* expectUnavailable(server)
      yield* Effect.sleep("500 millis")
      yield* expectUnavailable(server)
      expect(yield* promise(() => readdir(server.home))).toEqual(["ports.db.sock"])
      expect((yield* stop(server)).code).toBe(0)
    })
  )

  it.scopedLive("with its whole folder moved away and back: 503, then every row", () =>
    Effect.gen(function* () {
      const outer = yield* temporaryFolder
      const folder = join(outer, "data")
      yield* promise(() => mkdir(folder))
      const server = yield* startServer({ folder })
      const kept = [yield* allocate(server.port, { app: "kept" })]
      yield* promise(() => rename(folder, join(outer, "away")))
      yield* expectUnavailable(server)
      yield* promise(() => rename(join(outer, "away"), folder))
      expect(yield* resumed(server)).toEqual(kept)
      yield* allocate(server.port, { app: "more" })
    })
  )

  const other = (file: string, app: string) =>
    Effect.gen(function* () {
      yield* writeDatabase(file, [...ours, insert(app, 4000), insert(app, 4001)])
      expect(existsSync(`${file}-wal`)).toBe(false)
    })
  const otherRows = (app: string) =>
    [4000, 4001].map((port, index) => ({
      id: index + 1,
      app,
      instance: "i",
      service: "s",
      port,
      created_at: "2025-02-08T15:04:05Z"
    }))

  for (const [title, prepare] of [
    ["after it was deleted with -wal and -shm", removeAll],
    ["over it, its -wal and -shm left behind", () => Effect.void]
  ] as const) {
    it.scopedLive(`replaced by another registry, ${title}: goes on by itself with exactly that file's rows`, () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        yield* allocate(server.port, { app: "kept" })
        const spare = join(server.home, "spare.db")
        yield* other(spare, "other")
        yield* prepare(server.database)
        yield* promise(() => rename(spare, server.database))
        // Until it has noticed, it may answer 503, or what it had; a mixture of both never.
        const rows = yield* list(server.port).pipe(
          Effect.delay("100 millis"),
          Effect.repeat({ until: (rows) => JSON.stringify(rows).includes('"other"'), times: 150 })
        )
        expect(rows).toEqual(otherRows("other"))
        const more = yield* allocate(server.port, { app: "more" })
        expect((yield* stop(server)).code).toBe(0)
        expect(yield* readDatabase(server.database, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }])
        const next = yield* startServer({ folder: server.home })
        expect(yield* list(next.port)).toEqual([...otherRows("other"), more])
      })
    )
  }

  for (const [title, make] of [
    ["text", (file: string) => promise(() => writeFile(file, "these are my notes\n".repeat(500)))],
    ["another program's database", (file: string) => writeDatabase(file, ["CREATE TABLE notes (text TEXT)"])],
    ["a folder", (file: string) => promise(() => mkdir(file))]
  ] as const) {
    it.scopedLive(`replaced by ${title}: 503, that is left as it was, and the right file put back goes on`, () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const kept = [yield* allocate(server.port, { app: "kept" })]
        const away = join(server.home, "away.db")
        const strange = join(server.home, "strange")
        yield* make(strange)
        const isFile = (yield* promise(() => stat(strange))).isFile()
        const before = isFile ? fingerprint(strange) : ""
        yield* moveAll(server.database, away)
        yield* promise(() => rename(strange, server.database))
        yield* expectUnavailable(server)
        if (isFile) expect(fingerprint(server.database)).toBe(before)
        yield* promise(() => rm(server.database, { recursive: true }))
        yield* moveAll(away, server.database)
        expect(yield* resumed(server)).toEqual(kept)
        yield* allocate(server.port, { app: "more" })
      })
    )
  }
})

describe("a symbolic link", () => {
  const owned = (file: string) => promise(() => chown(file, nobody, nobody))
  const notRoot = isRoot ? undefined : "a file of another user needs root"

  needs(notRoot)("for the database, to another user's file: refused, the target untouched", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const theirs = join(yield* temporaryFolder, "theirs.db")
      yield* writeDatabase(theirs, ours)
      yield* promise(() => chmod(theirs, 0o644))
      yield* owned(theirs)
      const before = [fingerprint(theirs), yield* promise(() => stat(theirs))] as const
      const link = join(folder, "ports.db")
      yield* promise(() => symlink(theirs, link))
      yield* expectRefusedStart(yield* start(bin.portServer, ["--port", "0", "--db", link]), link)
      const after = yield* promise(() => stat(theirs))
      expect(fingerprint(theirs)).toBe(before[0])
      expect({ mode: after.mode, uid: after.uid, mtime: after.mtimeMs }).toEqual({
        mode: before[1].mode,
        uid: nobody,
        mtime: before[1].mtimeMs
      })
    })
  )

  needs(notRoot)("for the database, into another user's folder where no file is: refused, nothing made there", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const theirs = yield* temporaryFolder
      yield* owned(theirs)
      const link = join(folder, "ports.db")
      yield* promise(() => symlink(join(theirs, "new.db"), link))
      yield* expectRefusedStart(yield* start(bin.portServer, ["--port", "0", "--db", link]), link)
      expect(yield* promise(() => readdir(theirs))).toEqual([])
    })
  )

  needs(notRoot)("for ~/.port_server, to another user's folder: refused, the folder untouched", () =>
    Effect.gen(function* () {
      const home = yield* temporaryFolder
      const theirs = yield* temporaryFolder
      yield* promise(() => chmod(theirs, 0o777))
      yield* owned(theirs)
      yield* promise(() => symlink(theirs, join(home, ".port_server")))
      const running = yield* start(bin.portServer, ["--port", "0"], { env: { HOME: home } })
      yield* expectRefusedStart(running, join(home, ".port_server"))
      expect(yield* promise(() => readdir(theirs))).toEqual([])
      const { mode, uid } = yield* promise(() => stat(theirs))
      expect({ mode: (mode & 0o777).toString(8), uid }).toEqual({ mode: "777", uid: nobody })
    })
  )

  it.scopedLive("that dangles, for the database: refused, nothing made", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const target = yield* temporaryFolder
      const link = join(folder, "ports.db")
      yield* promise(() => symlink(join(target, "missing.db"), link))
      yield* expectRefusedStart(yield* start(bin.portServer, ["--port", "0", "--db", link]), link)
      expect(yield* promise(() => readdir(target))).toEqual([])
    })
  )

  it.scopedLive("that dangles, for ~/.port_server: refused, nothing made", () =>
    Effect.gen(function* () {
      const home = yield* temporaryFolder
      const target = yield* temporaryFolder
      yield* promise(() => symlink(join(target, "missing"), join(home, ".port_server")))
      const running = yield* start(bin.portServer, ["--port", "0"], { env: { HOME: home } })
      yield* expectRefusedStart(running, join(home, ".port_server"))
      expect(yield* promise(() => readdir(target))).toEqual([])
    })
  )

  it.scopedLive("to an own file and an own folder works", () =>
    Effect.gen(function* () {
      const home = yield* temporaryFolder
      const target = yield* temporaryFolder
      yield* writeDatabase(join(target, "real.db"), [...ours, insert("linked", 4000)])
      yield* promise(() => symlink(target, join(home, ".port_server")))
      yield* promise(() => symlink(join(target, "real.db"), join(target, "ports.db")))
      const running = yield* start(bin.portServer, ["--port", "0"], { env: { HOME: home } })
      const port = yield* portOf(running)
      yield* allocate(port, { app: "more" })
      expect(yield* list(port)).toMatchObject([{ app: "linked" }, { app: "more" }])
      expect((yield* stop(running)).code).toBe(0)
      expect(yield* readDatabase(join(target, "real.db"), "SELECT app FROM allocations ORDER BY id")).toEqual([
        { app: "linked" },
        { app: "more" }
      ])
    })
  )

  needs(notRoot)("of another user's making, to an own file, is judged by where it leads: it starts or is refused", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const real = join(folder, "real.db")
      yield* writeDatabase(real, [...ours, insert("linked", 4000)])
      yield* promise(() => copyFile(real, `${real}.copy`))
      const link = join(folder, "ports.db")
      yield* promise(() => symlink(real, link))
      yield* promise(() => lchown(link, nobody, nobody))
      const running = yield* start(bin.portServer, ["--port", "0", "--db", link])
      yield* Effect.race(
        running.ended,
        Effect.catchAllCause(running.printed(/listening/), () => Effect.never)
      )
      running.process.kill("SIGTERM")
      const { code, stderr } = yield* running.ended
      if (code !== 0) expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^error: [^\n]+\n$/) })
      expect(yield* readDatabase(real, "SELECT app FROM allocations")).toEqual([{ app: "linked" }])
    })
  )
})
