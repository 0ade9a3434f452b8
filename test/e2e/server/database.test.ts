import { spawnSync } from "node:child_process"
import { chmod, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { expectClean } from "../../support/Expectations.ts"
import { bin, start, startServer, temporaryFolder } from "../../support/Programs.ts"
import { listener } from "../../support/Sockets.ts"
import { execute, originalSchema } from "../../support/Sqlite.ts"
import { call } from "../../support/Wire.ts"

const promise = <A>(run: () => Promise<A>) => Effect.promise(run)
const modeOf = (path: string) => promise(async () => ((await stat(path)).mode & 0o777).toString(8))
const bytesOf = (path: string) => promise(async () => (await readFile(path)).toString("base64"))
const owner = { app: "a", instance: "b", service: "c" }

/** Start port-server under the umask 000, at its defaults but for the port. */
const generous = (home: string, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const script = 'umask 000; exec "$0" --port 0 "$@"'
    const running = yield* start("sh", ["-c", script, bin.portServer, ...args], { env: { HOME: home } })
    const [, port] = yield* running.printed(/listening on http:\/\/127\.0\.0\.1:(\d+), /)
    yield* call(Number(port), "POST", "/v1/allocations", owner)
    return running
  })

const expectPrivate = (database: string) =>
  Effect.forEach(["", "-wal", "-shm"], (suffix) =>
    Effect.map(modeOf(`${database}${suffix}`), (mode) => expect(`${suffix} ${mode}`).toBe(`${suffix} 600`))
  )

it.scopedLive("makes ~/.port_server and the database for the user alone, whatever the umask", () =>
  Effect.gen(function* () {
    const home = yield* temporaryFolder
    const running = yield* generous(home)
    expect(running.output.stdout).toContain(`database ${home}/.port_server/ports.db,`)
    expect(yield* modeOf(join(home, ".port_server"))).toBe("700")
    yield* expectPrivate(join(home, ".port_server/ports.db"))
  })
)

it.scopedLive("narrows an own folder that an older program left open, and a database in it", () =>
  Effect.gen(function* () {
    const home = yield* temporaryFolder
    const folder = join(home, ".port_server")
    yield* promise(() => mkdir(folder))
    yield* promise(() => chmod(folder, 0o777))
    const database = join(folder, "ports.db")
    yield* execute(database, originalSchema)
    yield* promise(() => chmod(database, 0o666))
    yield* generous(home)
    expect(yield* modeOf(folder)).toBe("700")
    yield* expectPrivate(database)
  })
)

it.scopedLive("leaves the mode of a folder that --db names alone", () =>
  Effect.gen(function* () {
    const home = yield* temporaryFolder
    const folder = join(home, "shared")
    yield* promise(() => mkdir(folder))
    yield* promise(() => chmod(folder, 0o755))
    yield* generous(home, "--db", join(folder, "own.db"))
    expect(yield* modeOf(folder)).toBe("755")
    yield* expectPrivate(join(folder, "own.db"))
  })
)

it.scopedLive(
  "leaves the mode of a database that --db names alone, and of a folder that ~/.port_server is a link to",
  () =>
    Effect.gen(function* () {
      const home = yield* temporaryFolder
      const folder = join(home, "shared")
      yield* promise(() => mkdir(folder))
      yield* promise(() => chmod(folder, 0o755))
      const database = join(folder, "theirs.db")
      yield* execute(database, originalSchema)
      yield* promise(() => chmod(database, 0o644))
      yield* generous(home, "--db", database)
      expect(yield* modeOf(database)).toBe("644")
      yield* promise(() => symlink(folder, join(home, ".port_server")))
      yield* generous(home)
      expect(yield* modeOf(folder)).toBe("755")
      yield* expectPrivate(join(folder, "ports.db"))
    })
)

it.scopedLive("opens a database of the original program and keeps every row", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    yield* execute(
      join(folder, "ports.db"),
      originalSchema,
      "INSERT INTO allocations VALUES (5, 'a', 'b', 'c', 3000, '2025-02-08 15:04:05')"
    )
    const server = yield* startServer({ folder })
    expect((yield* call(server.port, "GET", "/v1/allocations")).json).toEqual([
      { id: 5, app: "a", instance: "b", service: "c", port: 3000, created_at: "2025-02-08T15:04:05Z" }
    ])
    expect((yield* call(server.port, "POST", "/v1/allocations", owner)).json).toMatchObject({ id: 6, port: 3001 })
  })
)

// The tests may run as root, whom permissions do not bind: without these two rights they do.
const isRoot = process.getuid?.() === 0
const setpriv = "setpriv"
const powerless = ["--bounding-set=-dac_override,-dac_read_search"]
const canDrop = !isRoot || spawnSync(setpriv, [...powerless, "true"]).status === 0
const bound = (...args: ReadonlyArray<string>): readonly [string, ReadonlyArray<string>] =>
  isRoot ? [setpriv, [...powerless, bin.portServer, ...args]] : [bin.portServer, args]

/** What port-server says of a database that it cannot use: one line that names the file. */
const refusedDatabase = (home: string, database: string, command = bound("--port", "0", "--db", database)) =>
  Effect.gen(function* () {
    const running = yield* start(...command, { env: { HOME: home } })
    // Either it ends, or it is ended for what it should not have done.
    const listens = yield* Effect.exit(running.printed(/listening/))
    if (Exit.isSuccess(listens)) running.process.kill("SIGTERM")
    const ended = yield* running.ended
    expect(ended).toMatchObject({ code: 1, stdout: "" })
    expect(ended.stderr).toMatch(/^error: .+\n$/)
    expect(ended.stderr).toContain(database)
    expectClean(ended)
  })

const valid = (file: string) => execute(file, originalSchema)
const files: ReadonlyArray<readonly [name: string, make: (file: string) => Effect.Effect<void>, mode: number]> = [
  ["is text", (file) => promise(() => writeFile(file, "not a database, and longer than a header of SQLite\n")), 0o644],
  ["is two bytes", (file) => promise(() => writeFile(file, "xy")), 0o640],
  [
    "is damaged after its header",
    (file) => promise(() => writeFile(file, `SQLite format 3\0${"\u0001".repeat(5000)}`)),
    0o644
  ],
  ["belongs to another program", (file) => execute(file, "CREATE TABLE notes (text TEXT)"), 0o644],
  [
    "has a table of the same name but other columns",
    (file) => execute(file, "CREATE TABLE allocations (id INTEGER PRIMARY KEY, port INTEGER)"),
    0o664
  ],
  [
    "was written by a newer port-server",
    (file) => Effect.zipRight(valid(file), execute(file, "PRAGMA user_version = 99")),
    0o644
  ]
]

describe.concurrent("a database that port-server cannot use", () => {
  for (const [name, make, mode] of files) {
    it.scopedLive(`leaves a file as it was that ${name}`, () =>
      Effect.gen(function* () {
        const home = yield* temporaryFolder
        const file = join(home, "some.db")
        yield* make(file)
        yield* promise(() => chmod(file, mode))
        const before = yield* bytesOf(file)
        yield* refusedDatabase(home, file)
        expect(yield* bytesOf(file)).toBe(before)
        expect(yield* modeOf(file)).toBe(mode.toString(8))
      })
    )
  }

  const unusable = [
    ["that its user may not read", 0o000, originalSchema],
    ["of the original program that its user may not write", 0o444, originalSchema],
    [
      "of this program that its user may not write",
      0o444,
      `${originalSchema}; PRAGMA user_version = 1; PRAGMA journal_mode = WAL`
    ]
  ] as const

  for (const [which, mode, statements] of unusable) {
    const name = `leaves a database as it was ${which}`
    const test = canDrop ? it.scopedLive : it.scopedLive.skip
    test(canDrop ? name : `${name} (skipped: root, and no setpriv)`, () =>
      Effect.gen(function* () {
        const home = yield* temporaryFolder
        const file = join(home, "some.db")
        yield* execute(file, ...statements.split("; "))
        const before = yield* bytesOf(file)
        yield* promise(() => chmod(file, mode))
        yield* refusedDatabase(home, file)
        expect(yield* modeOf(file)).toBe(mode.toString(8))
        yield* promise(() => chmod(file, 0o600))
        expect(yield* bytesOf(file)).toBe(before)
      })
    )
  }

  it.scopedLive("names the file when its folder does not exist, is a file, or when it is a folder or a loop", () =>
    Effect.gen(function* () {
      const home = yield* temporaryFolder
      yield* promise(() => mkdir(join(home, "folder")))
      yield* promise(() => writeFile(join(home, "file"), ""))
      yield* promise(() => symlink("loop", join(home, "loop")))
      yield* promise(() => symlink("missing/file.db", join(home, "dangling")))
      for (const name of ["missing/ports.db", "file/ports.db", "folder", "loop", "dangling"]) {
        yield* refusedDatabase(home, join(home, name))
      }
      expect((yield* promise(() => stat(join(home, "folder")))).isDirectory()).toBe(true)
      expect(yield* bytesOf(join(home, "file"))).toBe("")
    })
  )
})

it.scopedLive("says what is wrong when ~/.port_server cannot be made", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    yield* promise(() => writeFile(join(folder, "file"), ""))
    const home = join(folder, "file")
    const running = yield* start(bin.portServer, ["--port", "0"], { env: { HOME: home } })
    const ended = yield* running.ended
    expect(ended).toMatchObject({ code: 1, stdout: "" })
    expect(ended.stderr).toContain(join(home, ".port_server"))
    expect(ended.stderr).toMatch(/^error: .+\n$/)
    // A sentence for a person, not the names of the platform's functions.
    expect(ended.stderr).not.toMatch(/FileSystem|BadResource|mkdir/)
  })
)

it.scopedLive("a port that is taken is named, and the database is left as it was", () =>
  Effect.gen(function* () {
    const home = yield* temporaryFolder
    const { port } = yield* listener()
    const file = join(home, "some.db")
    yield* valid(file)
    yield* promise(() => chmod(file, 0o644))
    const before = yield* bytesOf(file)
    const missing = join(home, "missing.db")
    for (const database of [file, missing]) {
      const running = yield* start(bin.portServer, ["--port", String(port), "--db", database], { env: { HOME: home } })
      const ended = yield* running.ended
      expect(ended).toMatchObject({ code: 1, stdout: "" })
      expect(ended.stderr).toMatch(/^error: .+ in use.*\n$/)
      expect(ended.stderr).toContain(String(port))
      expectClean(ended)
    }
    expect(yield* modeOf(file)).toBe("644")
    expect(yield* bytesOf(file)).toBe(before)
    expect(yield* promise(() => stat(missing).catch(() => undefined))).toBeUndefined()
  })
)
