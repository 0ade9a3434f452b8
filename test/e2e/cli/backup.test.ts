import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectError, expectUsageError } from "../../support/Expectations.ts"
import { realFolder, repository } from "../../support/Git.ts"
import { startServerOnFreePorts } from "../../support/Listening.ts"
import { bin, type PortServer, portctl, start, startServer, temporaryFolder } from "../../support/Programs.ts"
import { execute, originalSchema } from "../../support/Sqlite.ts"
import { call } from "../../support/Wire.ts"

const allocate = (server: PortServer, app: string, service: string, port?: number) =>
  call(server.port, "POST", "/v1/allocations", { app, instance: "main", service, ...(port ? { port } : {}) })

const list = (server: PortServer) => Effect.map(call(server.port, "GET", "/v1/allocations"), ({ json }) => json)

/** A registry with two allocations, and the file that portctl export makes of it. */
const exported = Effect.gen(function* () {
  const server = yield* startServer()
  yield* allocate(server, "shop", "web")
  yield* allocate(server, "shop", "db", 5432)
  const { stdout } = yield* portctl(["export"], { server })
  const file = join(yield* temporaryFolder, "ports.json")
  writeFileSync(file, stdout)
  return { server, file, text: stdout }
})

describe.concurrent("portctl export and import", () => {
  it.scopedLive("export prints every allocation in the versioned format", () =>
    Effect.gen(function* () {
      const { server, text } = yield* exported
      expect(JSON.parse(text)).toEqual({ version: 1, allocations: yield* list(server) })
      expect(text).toBe(`${JSON.stringify(JSON.parse(text), undefined, 2)}\n`)
    })
  )

  it.scopedLive("import moves a registry: owners, ports and times, with ids of its own", () =>
    Effect.gen(function* () {
      const { file, server } = yield* exported
      const other = yield* startServer()
      yield* allocate(other, "elsewhere", "web", 9000)
      expectAnswer(yield* portctl(["import", file], { server: other }), "imported 2 allocation(s), 0 unchanged\n")
      const moved = yield* list(server)
      expect(yield* list(other)).toMatchObject([
        { id: 1, app: "elsewhere" },
        ...(Array.isArray(moved) ? moved : []).map((allocation, index) => ({ ...allocation, id: index + 2 }))
      ])
    })
  )

  it.scopedLive("keep which services a project file has named, for prune, also with the last ids", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(3)
      const folder = repository(join(yield* realFolder, "shop"))
      const project = (...services: ReadonlyArray<string>) =>
        writeFileSync(
          join(folder, "portctl.json"),
          JSON.stringify({ services: Object.fromEntries(services.map((name) => [name, {}])) })
        )
      project("web", "db")
      yield* portctl(["ensure"], { server, cwd: folder })
      yield* portctl(["ensure", "--service", "mail"], { server, cwd: folder })
      project("web")
      const { stdout } = yield* portctl(["export"], { server })
      const entries: ReadonlyArray<{ readonly id: number; readonly service: string; readonly named?: boolean }> =
        JSON.parse(stdout).allocations
      expect(entries.map(({ named, service }) => [service, named])).toEqual([
        ["web", true],
        ["db", true],
        ["mail", undefined]
      ])
      const file = join(yield* temporaryFolder, "ports.json")
      writeFileSync(file, stdout)
      for (const lastIds of [false, true]) {
        const other = yield* startServer()
        if (lastIds) {
          yield* allocate(other, "elsewhere", "web", 9000)
          const sql = `UPDATE sqlite_sequence SET seq = ${Number.MAX_SAFE_INTEGER - 3} WHERE name = 'allocations'`
          yield* execute(other.database, sql)
        }
        expectAnswer(yield* portctl(["import", file], { server: other }), "imported 3 allocation(s), 0 unchanged\n")
        expect(JSON.parse((yield* portctl(["export"], { server: other })).stdout)).toMatchObject({
          allocations: [...(lastIds ? [{ app: "elsewhere" }] : []), ...entries.map(({ id, ...entry }) => entry)]
        })
        const { code, stdout: stale } = yield* portctl(["prune", "--dry-run"], { server: other })
        expect({ code, stale }).toEqual({
          code: 0,
          stale: expect.stringMatching(
            new RegExp(`^would release port ${server.first + 1} of shop/main/db [^\\n]* names no db\\n$`)
          )
        })
      }
    })
  )

  it.scopedLive("import again changes nothing, and - reads the standard input", () =>
    Effect.gen(function* () {
      const { file, server } = yield* exported
      const before = yield* list(server)
      expectAnswer(yield* portctl(["import", file], { server }), "imported 0 allocation(s), 2 unchanged\n")
      const env = { PORT_SERVER_ADDR: server.address }
      const piped = yield* start("/bin/sh", ["-c", `exec "$0" import - < "$1"`, bin.portctl, file], { env })
      expectAnswer(yield* piped.ended, "imported 0 allocation(s), 2 unchanged\n")
      expect(yield* list(server)).toEqual(before)
    })
  )

  it.scopedLive("--dry-run says what would happen and changes nothing", () =>
    Effect.gen(function* () {
      const { file } = yield* exported
      const empty = yield* startServer()
      expectAnswer(
        yield* portctl(["import", file, "--dry-run"], { server: empty }),
        "would import 2 allocation(s), 0 unchanged\n"
      )
      expect(yield* list(empty)).toEqual([])
    })
  )

  it.scopedLive("a port of another owner refuses the whole import, and is named with its holder", () =>
    Effect.gen(function* () {
      const { file } = yield* exported
      const taken = yield* startServer()
      yield* allocate(taken, "other", "db", 5432)
      const before = yield* list(taken)
      const sentence = "1 port(s) already allocated, nothing was imported: 5432 belongs to other/main/db (id=1)"
      expectError(yield* portctl(["import", file], { server: taken }), sentence)
      expectError(yield* portctl(["import", file, "--dry-run"], { server: taken }), sentence)
      const { stdout } = yield* portctl(["import", file, "--json"], { server: taken })
      expect(JSON.parse(stdout)).toMatchObject({
        error: "1 port(s) already allocated, nothing was imported",
        conflicts: [{ port: 5432, wanted: { app: "shop" }, holder: { app: "other" } }]
      })
      expect(yield* list(taken)).toEqual(before)
    })
  )

  it.scopedLive("exports what an older program stored, and import refuses the names that allocate refuses", () =>
    Effect.gen(function* () {
      const { file, server } = yield* exported
      yield* execute(
        server.database,
        "INSERT INTO allocations (app, instance, service, port) VALUES ('old' || char(7), 'dev', 'x', 7000)"
      )
      writeFileSync(file, (yield* portctl(["export"], { server })).stdout)
      const other = yield* startServer()
      expectError(
        yield* portctl(["import", file], { server: other }),
        `${file} is not a backup of portctl export: allocations.2.app: app must not contain control or text-direction characters`
      )
      const env = { PORT_SERVER_ADDR: other.address }
      const piped = yield* start("/bin/sh", ["-c", `echo '{}' | "$0" import -`, bin.portctl], { env })
      expect((yield* piped.ended).stderr).toMatch(/^error: the standard input is not a backup of portctl export: /)
      expect(yield* list(other)).toEqual([])
    })
  )

  const good = { id: 1, app: "a", instance: "b", service: "c", port: 3000, created_at: "2025-02-08T15:04:05Z" }
  const bad: ReadonlyArray<readonly [name: string, text: string, sentence: RegExp]> = [
    ["text that is no JSON", "not json", /is not a backup of portctl export: ./],
    ["another version", JSON.stringify({ version: 2, allocations: [] }), /version must be 1/],
    [
      "a port that is none",
      JSON.stringify({ version: 1, allocations: [{ ...good, port: 70000 }] }),
      /port 70000 is not/
    ],
    [
      "a time that is none",
      JSON.stringify({ version: 1, allocations: [{ ...good, created_at: "now" }] }),
      /created_at/
    ],
    [
      "a blank name",
      JSON.stringify({ version: 1, allocations: [{ ...good, instance: " " }] }),
      /instance must not be blank/
    ],
    [
      "a long name",
      JSON.stringify({ version: 1, allocations: [{ ...good, service: "s".repeat(256) }] }),
      /allocations\.0\.service: service must be at most 255 characters long/
    ],
    [
      "a folder that is no absolute path",
      JSON.stringify({ version: 1, allocations: [{ ...good, path: "here" }] }),
      /path must be the absolute path of a folder/
    ],
    [
      "an unknown field of an allocation",
      JSON.stringify({ version: 1, allocations: [{ ...good, prot: 1 }] }),
      /allocations\.0: unknown field "prot"/
    ],
    [
      "a service that a file without a folder has named",
      JSON.stringify({ version: 1, allocations: [{ ...good, named: true }] }),
      /named of port 3000 needs a path/
    ],
    [
      "a named that is neither true nor false",
      JSON.stringify({ version: 1, allocations: [{ ...good, path: "/here", named: "yes" }] }),
      /named must be true or false/
    ],
    ["a missing field", JSON.stringify({ version: 1, allocations: [{ id: 1 }] }), /allocations\.0\.app is missing/],
    ["an unknown field", JSON.stringify({ version: 1, allocations: [], extra: 1 }), /unknown field "extra"/],
    [
      "one port twice",
      JSON.stringify({ version: 1, allocations: [good, { ...good, id: 2 }] }),
      /3000 is in the backup twice/
    ]
  ]
  for (const [name, text, sentence] of bad) {
    it.scopedLive(`import refuses ${name} in one line, and changes nothing`, () =>
      Effect.gen(function* () {
        const { file, server } = yield* exported
        const before = yield* list(server)
        writeFileSync(file, text)
        const ended = yield* portctl(["import", file], { server })
        expect(ended).toMatchObject({ code: 1, stdout: "" })
        expect(ended.stderr).toMatch(/^error: [^\n]+\n$/)
        expect(ended.stderr).toMatch(sentence)
        expect(yield* list(server)).toEqual(before)
      })
    )
  }

  it.scopedLive("import wants a file that can be read", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      expectError(
        yield* portctl(["import", "/nowhere/x.json"], { server }),
        'cannot read "/nowhere/x.json": there is no such file'
      )
      expectUsageError(yield* portctl(["import"], { server }), /FILE/, "portctl import")
    })
  )
})

describe.concurrent("port-server --check", () => {
  const check = (database: string) =>
    Effect.flatMap(start(bin.portServer, ["--check", "--db", database]), (running) => running.ended)

  it.scopedLive("says that a database is sound, also while a server has it open, and changes nothing", () =>
    Effect.gen(function* () {
      const { server } = yield* exported
      expectAnswer(yield* check(server.database), `the database ${server.database} is sound: 2 allocation(s)\n`)
      server.process.kill("SIGTERM")
      yield* server.ended
      const bytes = readFileSync(server.database)
      expectAnswer(yield* check(server.database), `the database ${server.database} is sound: 2 allocation(s)\n`)
      expect(readFileSync(server.database).equals(bytes)).toBe(true)
    })
  )

  it.scopedLive("fails with one line for a damaged, a foreign and a missing database", () =>
    Effect.gen(function* () {
      const { server } = yield* exported
      server.process.kill("SIGTERM")
      yield* server.ended
      const bytes = readFileSync(server.database)
      bytes.fill(0x5a, 4096)
      writeFileSync(server.database, bytes)
      const damaged = yield* check(server.database)
      expect(damaged).toMatchObject({ code: 1, stdout: "" })
      expect(damaged.stderr).toMatch(/^error: cannot open the database [^\n]+: it is damaged[^\n]*\n$/)

      const folder = yield* temporaryFolder
      const foreign = join(folder, "foreign.db")
      yield* execute(foreign, "CREATE TABLE notes (text)")
      expectError(yield* check(foreign), `cannot open the database ${foreign}: it belongs to another program`)
      for (const [name, ...statements] of [
        ["view", "CREATE VIEW allocations AS SELECT 1"],
        ["negative", "PRAGMA user_version = -3"],
        ["view-of-a-table", originalSchema, "CREATE VIEW folders AS SELECT 1"],
        ["negative-with-tables", originalSchema, "PRAGMA user_version = -3"],
        ["table-missing", originalSchema, "PRAGMA user_version = 2"]
      ] as const) {
        const file = join(folder, `${name}.db`)
        yield* execute(file, ...statements)
        const sentence = `cannot open the database ${file}: it belongs to another program`
        expectError(yield* check(file), sentence)
        const started = yield* start(bin.portServer, ["--port", "0", "--db", file])
        expectError(yield* started.ended, sentence)
      }
      const missing = join(folder, "missing.db")
      expectError(yield* check(missing), `cannot open the database ${missing}: there is no such file`)
    })
  )
})
