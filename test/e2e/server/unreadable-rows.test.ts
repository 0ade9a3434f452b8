import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { created, expectError } from "../../support/Api.ts"
import * as Cli from "../../support/Expectations.ts"
import { freePorts } from "../../support/Listening.ts"
import { bin, portctl, start, startServer, temporaryFolder } from "../../support/Programs.ts"
import { execute, originalSchema, readDatabase } from "../../support/Sqlite.ts"
import { call } from "../../support/Wire.ts"

const path = "/v1/allocations"

/** The ports of the servers here, from this one on: nothing listens there, so that nothing else is known of them. */
const first = await Effect.runPromise(freePorts(5))

const owner = { app: "myapp", instance: "dev", service: "web" }
const created_at = "2025-02-08T15:04:05Z"

const row = (id: number | bigint, app: string, port: string) =>
  `INSERT INTO allocations VALUES (${id}, ${app}, 'dev', 'web', ${port}, '2025-02-08 15:04:05')`

/** A database that was made by another program, brought to the current schema; made once for all tests. */
const migrated = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  yield* execute(join(folder, "ports.db"), originalSchema)
  const server = yield* startServer({ folder })
  server.process.kill("SIGTERM")
  yield* server.ended
  return yield* Effect.promise(() => readFile(server.database))
}).pipe(Effect.scoped, Effect.cached, Effect.runSync)

/** A folder with such a database and these rows, written by another program. */
const folderWith = (...statements: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const bytes = yield* migrated
    yield* Effect.promise(() => writeFile(join(folder, "ports.db"), bytes))
    yield* execute(join(folder, "ports.db"), ...statements)
    return folder
  })

const check = (folder: string) =>
  Effect.flatMap(start(bin.portServer, ["--check", "--db", join(folder, "ports.db")]), ({ ended }) => ended)

const good = { id: 1, app: "good", instance: "dev", service: "web", port: first + 1, created_at }

const cases: ReadonlyArray<readonly [title: string, row: string, named: string, holds?: number]> = [
  ["a text for its port", row(2, "'odd'", "'abc'"), "id 2 (its port is of type text)"],
  ["a blob for its port", row(2, "'odd'", "x'00ff'"), "id 2 (its port is of type blob)"],
  ["a fraction for its port", row(2, "'odd'", `${first}.5`), "id 2 (its port is of type real)"],
  ["a port over 2^53", row(2, "'odd'", "9007199254740993"), "id 2 (its port is of type integer)"],
  ["a blob for its name", row(2, "x'00ff'", String(first)), "id 2 (its app is not text)", first],
  [
    "an id over 2^53",
    row(9_007_199_254_740_993n, "'odd'", String(first)),
    "id 9007199254740993 (its id is too large)",
    first
  ],
  [
    "the last id of all",
    row(9_223_372_036_854_775_807n, "'odd'", String(first)),
    "id 9223372036854775807 (its id is too large)",
    first
  ],
  [
    "a blob for its creation time",
    `INSERT INTO allocations VALUES (2, 'odd', 'dev', 'web', ${first}, x'00')`,
    "id 2 (its created_at is not text)",
    first
  ],
  [
    "a blob for its folder",
    `${row(2, "'odd'", String(first))}; INSERT INTO folders (allocation, path) VALUES (2, x'00')`,
    "id 2 (its path is not text)",
    first
  ]
]

for (const [title, statement, named, holds] of cases) {
  describe(`a row with ${title}`, () => {
    const statements = [row(1, "'good'", String(first + 1)), ...statement.split("; ")]

    it.scopedLive("is left alone, and everything else works", () =>
      Effect.gen(function* () {
        const folder = yield* folderWith(...statements)
        const server = yield* startServer({ folder, args: ["--range", `${first}-${first + 4}`] })
        const ask = (method: string, target: string, body?: unknown) => call(server.port, method, target, body)
        expect((yield* ask("GET", path)).json).toEqual([good])
        expect((yield* ask("GET", `${path}?app=good`)).json).toEqual([good])
        expect((yield* ask("GET", `${path}?app=odd`)).json).toEqual([])
        expect((yield* ask("GET", "/v1/listeners")).status).toBe(200)

        // A port that the row holds is given to nobody.
        const one = created(yield* ask("POST", path, owner))
        expect(one.port).toBe(holds === undefined ? first : first + 2)
        const project = join(folder, "project")
        yield* Effect.promise(() => mkdir(project))
        const services = [{ service: "web", prefer: first }, { service: "db" }]
        const ensured = yield* ask("POST", "/v1/ensure", { app: "new", instance: "dev", path: project, services })
        const next = holds === undefined ? first + 2 : first + 3
        expect(ensured.json).toMatchObject({ allocations: [{ port: next }, { port: next + 1 }] })
        expect(
          (yield* ask("POST", "/v1/ensure", { app: "good", instance: "dev", services: [{ service: "web" }] })).json
        ).toEqual({
          app: "good",
          instance: "dev",
          allocations: [good]
        })
        yield* Effect.promise(() => rmdir(project))
        expect((yield* ask("POST", "/v1/prune", {})).json).toMatchObject({
          allocations: [{ port: next }, { port: next + 1 }]
        })
        expect((yield* ask("DELETE", `${path}/${one.id}`)).json).toEqual({ status: "deleted" })
        const ids = [one.id, one.id + 1, one.id + 2]
        // Never one of those that were released.
        const again = created(yield* ask("POST", path, owner))
        expect(ids).not.toContain(again.id)
        expect(again.id).toBeLessThan(2 ** 53)
        expect((yield* ask("DELETE", path, { app: "myapp" })).json).toEqual({ deleted: 1 })
        expect((yield* ask("GET", path)).json).toEqual([good])
        expect(server.output.stderr).toBe("")
        expect(yield* readDatabase(server.database, "SELECT count(*) AS count FROM allocations")).toEqual([
          { count: 2 }
        ])
      })
    )

    it.scopedLive("is named by port-server --check", () =>
      Effect.gen(function* () {
        const folder = yield* folderWith(...statements)
        Cli.expectError(
          yield* check(folder),
          `the database ${join(folder, "ports.db")} has rows that cannot be read: ${named}`
        )
      })
    )

    if (holds === undefined) return

    it.scopedLive("keeps the port that it holds", () =>
      Effect.gen(function* () {
        const server = yield* startServer({ folder: yield* folderWith(...statements) })
        const reason = `the row that holds port ${holds} cannot be read; port-server --check names it`
        const ask = (method: string, target: string, body?: unknown) => call(server.port, method, target, body)
        const services = [{ service: "db" }, { service: "web", port: holds }]
        const allocations = [
          { ...owner, port: 4000 },
          { ...owner, port: holds }
        ]
        for (const [target, body] of [
          [path, { ...owner, port: holds }],
          ["/v1/ensure", { app: "new", instance: "dev", services }],
          ["/v1/import", { version: 1, allocations }]
        ] as const) {
          expectError(yield* ask("POST", target, body), 503, reason)
        }
        expect((yield* ask("GET", path)).json).toEqual([good])
        expect((yield* ask("GET", `/v1/ports/${holds}`)).json).toMatchObject({
          port: holds,
          available: false,
          holder_error: reason
        })
        const run = (command: string) => portctl([command, "--port", String(holds)], { server })
        expect(yield* run("check")).toMatchObject({ code: 1, stdout: `${reason}\n`, stderr: "" })
        expect((yield* run("why")).stdout).toMatch(new RegExp(`^${reason}\n`))
        expect(server.output.stderr).toBe("")
      })
    )
  })
}

it.scopedLive("odd rows between thousands of others hide none of them, and --check names the first ten", () =>
  Effect.gen(function* () {
    const many = (first: number, count: number, port: string) =>
      `WITH RECURSIVE n(i) AS (SELECT ${first} UNION ALL SELECT i + 1 FROM n WHERE i < ${first + count - 1})
        INSERT INTO allocations SELECT i, 'app', 'dev', 'web', ${port}, '2025-02-08 15:04:05' FROM n`
    // Whole pages of them, and the last row of a page.
    const folder = yield* folderWith(
      many(1, 499, "i"),
      row(500, "'odd'", "'abc'"),
      many(501, 700, "'odd' || i"),
      many(1201, 799, "i")
    )
    const server = yield* startServer({ folder })
    const { json } = yield* call(server.port, "GET", path)
    expect(json).toHaveLength(499 + 799)
    const { stderr } = yield* check(folder)
    expect(stderr).toMatch(
      /: id 500 \(its port is of type text\), id 501 .*, id 509 \(its port is of type text\) and 691 more\n$/
    )
  })
)

it.scopedLive("a row of the original program that cannot be read is named by --check before the first start", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    yield* execute(join(folder, "ports.db"), originalSchema, row(1, "'good'", String(first + 1)))
    Cli.expectAnswer(yield* check(folder), `the database ${join(folder, "ports.db")} is sound: 1 allocation(s)\n`)
    yield* execute(join(folder, "ports.db"), row(7, "'odd'", "'abc'"))
    Cli.expectError(
      yield* check(folder),
      `the database ${join(folder, "ports.db")} has rows that cannot be read: id 7 (its port is of type text)`
    )
  })
)

describe("ids that are used up", () => {
  for (const last of ["9223372036854775807", "9007199254740991"]) {
    it.scopedLive(`by sqlite_sequence at ${last} are told as such, and everything else works`, () =>
      Effect.gen(function* () {
        const folder = yield* folderWith(
          row(1, "'good'", String(first + 1)),
          `UPDATE sqlite_sequence SET seq = ${last} WHERE name = 'allocations'`
        )
        const server = yield* startServer({ folder })
        const ask = (method: string, target: string, body?: unknown) => call(server.port, method, target, body)
        const sentence = "the database has no allocation ids left: its sqlite_sequence is at the end"
        expectError(yield* ask("POST", path, owner), 503, sentence)
        expectError(yield* ask("POST", path, { ...owner, port: 4000 }), 503, sentence)
        const services = [{ service: "web" }]
        expectError(yield* ask("POST", "/v1/ensure", { app: "new", instance: "dev", services }), 503, sentence)
        const allocations = [{ ...owner, port: 4000 }]
        expectError(yield* ask("POST", "/v1/import", { version: 1, allocations }), 503, sentence)
        expect((yield* ask("POST", path, { ...owner, port: first + 1 })).status).toBe(409)
        expect((yield* ask("POST", "/v1/ensure", { app: "good", instance: "dev", services })).json).toMatchObject({
          allocations: [good]
        })
        expect((yield* ask("GET", path)).json).toEqual([good])
        expect((yield* ask("DELETE", `${path}/1`)).json).toEqual({ status: "deleted" })
        expect(server.output.stderr).toBe("")
      })
    )
  }

  it.scopedLive("in the middle of a project leave it without any", () =>
    Effect.gen(function* () {
      const folder = yield* folderWith(
        row(1, "'good'", String(first + 1)),
        "UPDATE sqlite_sequence SET seq = 9007199254740990 WHERE name = 'allocations'"
      )
      const server = yield* startServer({ folder })
      const services = [{ service: "web" }, { service: "db" }]
      const answer = yield* call(server.port, "POST", "/v1/ensure", { app: "new", instance: "dev", services })
      expectError(answer, 503, /no allocation ids left/)
      expect((yield* call(server.port, "GET", path)).json).toEqual([good])
      const last = created(yield* call(server.port, "POST", path, owner))
      expect(last.id).toBe(Number.MAX_SAFE_INTEGER)
    })
  )
})
