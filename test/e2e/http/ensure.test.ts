import { mkdirSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { allocate, allocationFields, expectError, listed, portStatus } from "../../support/Api.ts"
import { startServer, temporaryFolder } from "../../support/Programs.ts"
import { execute, originalSchema, readDatabase } from "../../support/Sqlite.ts"
import { type Answer, call } from "../../support/Wire.ts"

const path = "/v1/ensure"
const project = { app: "shop", instance: "main" }

const Allocations = Schema.Array(Schema.Struct({ ...allocationFields, path: Schema.optional(Schema.String) }))

const EnsureResult = Schema.Struct({
  app: Schema.String,
  instance: Schema.String,
  allocations: Allocations,
  took_over: Schema.optional(Schema.String),
  not_preferred: Schema.optional(Schema.Array(Schema.Struct({ service: Schema.String, prefer: Schema.Int }))),
  also_held: Schema.optional(Allocations)
})
const decode = Schema.decodeUnknownSync(EnsureResult, { onExcessProperty: "error" })

const ensured = (answer: Answer) => {
  expect(answer.status, answer.body).toBe(200)
  return decode(answer.json)
}

type Service = { readonly service: string; readonly port?: number; readonly prefer?: number }

const ask = (port: number, services: ReadonlyArray<Service>, more: object = {}) =>
  call(port, "POST", path, { ...project, ...more, services })

const ensure = (...args: Parameters<typeof ask>) => Effect.map(ask(...args), ensured)

const portsOf = ({ allocations }: typeof EnsureResult.Type) => allocations.map(({ port }) => port)

const web = { service: "web" }
const db = { service: "db" }

describe("POST /v1/ensure", () => {
  it.scopedLive("gives each service a port, in the order asked, and the same ones again", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const first = yield* ensure(port, [web, db])
      expect(first).toMatchObject({ ...project, allocations: [web, db] })
      expect(portsOf(first)).toEqual([3000, 3001])
      expect(yield* ensure(port, [web, db])).toEqual(first)
      expect(portsOf(yield* ensure(port, [db, { service: "cache" }, web]))).toEqual([3001, 3002, 3000])
      expect(yield* listed(port, "shop")).toHaveLength(3)
    })
  )

  it.scopedLive("keeps the ports of other instances and apps apart", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      expect(portsOf(yield* ensure(port, [web]))).toEqual([3000])
      expect(portsOf(yield* ensure(port, [web], { instance: "feature" }))).toEqual([3001])
      expect(portsOf(yield* ensure(port, [web], { app: "other" }))).toEqual([3002])
    })
  )

  it.scopedLive("answers with what allocate has given, the oldest, whatever is allocated beside it later", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const given = yield* allocate(port, { ...project, service: "web", port: 8080 })
      yield* allocate(port, { ...project, service: "web" })
      expect((yield* ensure(port, [web])).allocations).toEqual([given])
      expect(portsOf(yield* ensure(port, [web], { path: "/nowhere/shop" }))).toEqual([8080])
      yield* allocate(port, { ...project, service: "web", port: 8081 })
      expect(portsOf(yield* ensure(port, [web]))).toEqual([8080])
    })
  )

  it.scopedLive("gives exactly the port asked for; another one later on is one more, and answers from then on", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const folder = { path: "/nowhere/shop" }
      expect(portsOf(yield* ensure(port, [{ ...db, port: 5432 }], folder))).toEqual([5432])
      expect(portsOf(yield* ensure(port, [{ ...db, port: 5432 }], folder))).toEqual([5432])
      expect(portsOf(yield* ensure(port, [{ ...db, port: 5433 }], folder))).toEqual([5433])
      expect(portsOf(yield* ensure(port, [db], folder))).toEqual([5433])
      expect(portsOf(yield* ensure(port, [{ ...db, port: 0 }], folder))).toEqual([5433])
    })
  )

  it.scopedLive("an asked port that is taken: 409 with its holder, and nothing is changed", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const holder = yield* allocate(port, { app: "other", port: 5432 })
      const answer = yield* ask(port, [web, { ...db, port: 5432 }, { service: "cache", port: 6379 }])
      expect({ status: answer.status, json: answer.json }).toEqual({
        status: 409,
        json: { error: "port already allocated", holder }
      })
      expect(yield* listed(port, "shop")).toEqual([])
    })
  )

  it.scopedLive("also a port of another service of the same project is taken", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      yield* ensure(port, [web])
      const answer = yield* ask(port, [web, { ...db, port: 3000 }])
      expect({ status: answer.status, json: answer.json }).toMatchObject({ status: 409, json: { holder: web } })
      expect(yield* listed(port, "shop")).toHaveLength(1)
    })
  )

  it.scopedLive("prefers a port where it is free, and falls back to another one where not", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      yield* allocate(port, { app: "other", port: 4001 })
      const services = [
        { service: "a", prefer: 4000 },
        { service: "b", prefer: 4001 },
        { service: "c", prefer: 4000 },
        { service: "d", prefer: 3000 }
      ]
      const first = yield* ensure(port, services)
      expect(portsOf(first)).toEqual([4000, 3001, 3002, 3000])
      const { not_preferred, ...later } = first
      expect(not_preferred).toEqual([services[1], services[2]])
      yield* call(port, "DELETE", "/v1/allocations", { app: "other" })
      expect(yield* ensure(port, services)).toEqual(later)
    })
  )

  it.scopedLive("does not hand out for one service what another one of the request asks for", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      expect(
        portsOf(yield* ensure(port, [web, { service: "old", prefer: 3001 }, { ...db, port: 3000 }, { service: "x" }]))
      ).toEqual([3002, 3001, 3000, 3003])
    })
  )

  it.scopedLive("all or nothing: with too few ports left, none is given", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer({ args: ["--range", "20000-20001"] })
      expectError(yield* ask(port, [web, db, { service: "cache" }]), 409, "no free ports in range 20000-20001")
      expect(yield* listed(port, "shop")).toEqual([])
      expect(portsOf(yield* ensure(port, [web, db]))).toEqual([20000, 20001])
    })
  )

  it.scopedLive("concurrent calls for one project agree, and those for others get other ports", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const instances = ["main", "feature", "fix"]
      const answers = yield* Effect.all(
        Array.from({ length: 60 }, (_, index) =>
          ensure(port, index % 2 === 0 ? [web, db] : [web, db], { instance: instances[index % 3] })
        ),
        { concurrency: "unbounded" }
      )
      const ports = new Map<string, Set<string>>()
      for (const answer of answers) {
        ports.set(answer.instance, (ports.get(answer.instance) ?? new Set()).add(portsOf(answer).join()))
      }
      expect([...ports.values()].map((seen) => seen.size)).toEqual([1, 1, 1])
      expect(new Set(answers.flatMap(portsOf)).size).toBe(6)
      expect(yield* listed(port, "shop")).toHaveLength(6)
    })
  )

  it.scopedLive("two servers on one database agree", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const servers = [yield* startServer({ folder }), yield* startServer({ folder })]
      const answers = yield* Effect.all(
        Array.from({ length: 20 }, () => servers.map(({ port }) => ensure(port, [web, db]))).flat(),
        { concurrency: "unbounded" }
      )
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    })
  )
})

describe("the project folder", () => {
  it.scopedLive("is remembered, listed and can be filtered by", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const folder = "/nowhere/a b/żółw"
      const { allocations } = yield* ensure(port, [web, db], { path: folder })
      expect(allocations).toMatchObject([{ path: folder }, { path: folder }])
      yield* ensure(port, [web], { app: "other" })
      const list = yield* call(port, "GET", `/v1/allocations?path=${encodeURIComponent(folder)}`)
      expect(list.json).toEqual(allocations)
      expect(yield* portStatus(port, 3000)).toEqual({ port: 3000, available: false, holder: allocations[0] })
      expect((yield* call(port, "DELETE", "/v1/allocations", { path: folder })).json).toEqual({ deleted: 2 })
      expect((yield* call(port, "GET", "/v1/allocations")).json).toMatchObject([{ app: "other" }])
    })
  )

  it.scopedLive("is not there for what allocate gives, and comes with the first ensure", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const given = yield* allocate(port, { ...project, service: "web" })
      expect(given).not.toHaveProperty("path")
      expect((yield* ensure(port, [web], { path: "/nowhere/shop" })).allocations).toEqual([
        { ...given, path: "/nowhere/shop" }
      ])
    })
  )

  /** Two folders, of which the first has ensured a service. */
  const folders = Effect.gen(function* () {
    const { port } = yield* startServer()
    const folder = yield* temporaryFolder
    const [here, there] = [join(folder, "here"), join(folder, "there")]
    mkdirSync(here)
    mkdirSync(there)
    return { port, here, there, first: yield* ensure(port, [web], { path: here }) }
  })

  it.scopedLive("that an instance belongs to keeps it: another folder is refused, whatever it asks for", () =>
    Effect.gen(function* () {
      const { first, here, port, there } = yield* folders
      for (const service of [web, db, { ...db, port: 4000 }]) {
        const { json, status } = yield* ask(port, [service], { path: there })
        expect({ status, json }).toEqual({
          status: 409,
          json: { error: `shop/main belongs to ${here}`, ...project, folder: here }
        })
      }
      expect(yield* listed(port, "shop")).toEqual(first.allocations)
    })
  )

  it.scopedLive("stays the first one as long as it exists, also for another that shares the instance", () =>
    Effect.gen(function* () {
      const { first, here, port, there } = yield* folders
      expect(yield* ensure(port, [web], { path: there, share: true })).toEqual(first)
      expect((yield* ensure(port, [db], { path: there, share: true })).allocations).toMatchObject([{ path: there }])
      expect(portsOf(yield* ensure(port, [web, db], { path: here }))).toEqual([3000, 3001])
      expect(yield* ask(port, [db], { path: there })).toMatchObject({ status: 409, json: { folder: here } })
    })
  )

  it.scopedLive("is the same one by another path", () =>
    Effect.gen(function* () {
      const { first, here, port } = yield* folders
      symlinkSync(here, `${here}-link`)
      expect(yield* ensure(port, [web], { path: `${here}-link` })).toEqual(first)
    })
  )

  it.scopedLive("loses the instance to another one when it no longer exists, which is told once", () =>
    Effect.gen(function* () {
      const { first, here, port, there } = yield* folders
      rmSync(here, { recursive: true })
      const moved = { ...first, allocations: first.allocations.map((each) => ({ ...each, path: there })) }
      expect(yield* ensure(port, [web], { path: there })).toEqual({ ...moved, took_over: here })
      expect(yield* ensure(port, [web], { path: there })).toEqual(moved)
    })
  )

  it.scopedLive("that cannot be probed is not gone", () =>
    Effect.gen(function* () {
      const { first, here, port, there } = yield* folders
      rmSync(here, { recursive: true })
      symlinkSync(here, here)
      const { json, status } = yield* ask(port, [web], { path: there })
      expect({ status, json }).toMatchObject({ status: 409, json: { folder: here } })
      expect(yield* listed(port, "shop")).toEqual(first.allocations)
    })
  )

  it.scopedLive("of two that ask at once for different services, one owns the instance", () =>
    Effect.gen(function* () {
      const { here, port, there } = yield* folders
      for (let round = 0; round < 25; round++) {
        const answers = yield* Effect.all(
          [ask(port, [web], { path: here, app: `a${round}` }), ask(port, [db], { path: there, app: `a${round}` })],
          { concurrency: "unbounded" }
        )
        expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
        expect(yield* listed(port, `a${round}`)).toHaveLength(1)
      }
    })
  )

  it.scopedLive("of an older database gets its device with the next ensure, so that prune knows it is gone", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const here = join(folder, "disk/shop")
      mkdirSync(here, { recursive: true })
      yield* execute(
        join(folder, "ports.db"),
        originalSchema,
        "CREATE TABLE folders (allocation INTEGER PRIMARY KEY REFERENCES allocations(id) ON DELETE CASCADE, path TEXT NOT NULL)",
        "INSERT INTO allocations (app, instance, service, port) VALUES ('shop', 'main', 'web', 3333)",
        `INSERT INTO folders VALUES (1, '${here}')`,
        "PRAGMA user_version = 2"
      )
      const { database, port } = yield* startServer({ folder })
      expect((yield* ensure(port, [web], { path: here })).allocations).toMatchObject([{ port: 3333, path: here }])
      const known = readDatabase(database, "SELECT * FROM folders WHERE device IS NOT NULL")
      yield* Effect.repeat(known, { until: (rows) => rows.length > 0 })
      rmSync(here, { recursive: true })
      expect((yield* call(port, "POST", "/v1/prune", {})).json).toMatchObject({ allocations: [{ port: 3333 }] })
    })
  )

  it.scopedLive("survives a restart", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const first = yield* Effect.scoped(
        Effect.flatMap(startServer({ folder }), ({ port }) => ensure(port, [web], { path: "/nowhere/shop" }))
      )
      const { port } = yield* startServer({ folder })
      expect(yield* ensure(port, [web], { path: "/nowhere/shop" })).toEqual(first)
    })
  )
})

const refused: ReadonlyArray<readonly [name: string, body: unknown, sentence: string | RegExp]> = [
  ["no services", project, "services is missing"],
  ["an empty list", { ...project, services: [] }, /^services must be a list of at least one service/],
  ["a service that is no object", { ...project, services: ["web"] }, /^services\.0/],
  ["services that are no list", { ...project, services: { web: 1 } }, /^services must be a list/],
  ["no app", { instance: "main", services: [web] }, "app, instance, and service are required"],
  ["a blank service", { ...project, services: [{ service: " " }] }, /app, instance, and service are required/],
  ["a service twice", { ...project, services: [web, db, web] }, 'service "web" is asked for twice'],
  [
    "a port twice",
    {
      ...project,
      services: [
        { ...web, port: 80 },
        { ...db, port: 80 }
      ]
    },
    "port 80 is asked for twice"
  ],
  ["a port and a preference", { ...project, services: [{ ...web, port: 80, prefer: 81 }] }, /exclude each other/],
  [
    "a port that is none",
    { ...project, services: [{ ...web, port: 65536 }] },
    /port must be an integer from 1 to 65535/
  ],
  ["a preference of 0", { ...project, services: [{ ...web, prefer: 0 }] }, /prefer must be an integer from 1 to 65535/],
  ["a misspelt field", { ...project, services: [{ ...web, prot: 80 }] }, 'services.0: unknown field "prot"'],
  ["a misspelt field outside", { ...project, service: "web", services: [web] }, 'unknown field "service"'],
  ["a share that is no boolean", { ...project, services: [web], share: 1 }, "share must be true or false"],
  ["a relative path", { ...project, services: [web], path: "shop" }, "path must be the absolute path of a folder"],
  ["a path with NUL", { ...project, services: [web], path: "/a\0b" }, "path must be the absolute path of a folder"],
  ["a path that is no text", { ...project, services: [web], path: 1 }, "path must be a string"]
]

describe("POST /v1/ensure refuses, and changes nothing", () => {
  for (const [name, body, sentence] of refused) {
    it.scopedLive(name, () =>
      Effect.gen(function* () {
        const { port } = yield* startServer()
        expectError(yield* call(port, "POST", path, body), 400, sentence)
        expect((yield* call(port, "GET", "/v1/allocations")).json).toEqual([])
      })
    )
  }
})
