import { mkdirSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { RegistryEvent } from "@port-server/domain/Event"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { allocate, expectError } from "../../support/Api.ts"
import { startServerOnFreePorts } from "../../support/Listening.ts"
import { type PortServer, startServer, temporaryFolder } from "../../support/Programs.ts"
import { execute } from "../../support/Sqlite.ts"
import { call, send } from "../../support/Wire.ts"

const decode = Schema.decodeUnknownSync(Schema.Array(RegistryEvent), { onExcessProperty: "error" })

const events = ({ port }: PortServer, query = "") =>
  Effect.map(call(port, "GET", `/v1/events${query}`), ({ json }) => decode(json))

/** The kinds and services of the events that there are. */
const told = (server: PortServer, query = "") =>
  Effect.map(events(server, query), (all) => all.map(({ allocation, kind }) => `${kind} ${allocation.service}`))

const ensure = ({ port }: PortServer, body: object) =>
  call(port, "POST", "/v1/ensure", { app: "shop", instance: "main", services: [{ service: "web" }], ...body })

const entry = (port: number) => ({ app: "old", instance: "main", service: `s${port}`, port })

const importAll = ({ port }: PortServer, ports: ReadonlyArray<number>) =>
  call(port, "POST", "/v1/import", { version: 1, allocations: ports.map(entry) })

const numbers = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index)

describe("GET /v1/events", () => {
  it.scopedLive("tells of allocations and releases, with the allocation as it was", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      expect(yield* events(server)).toEqual([])
      const web = yield* allocate(server.port, { app: "shop", service: "web" })
      const db = yield* allocate(server.port, { app: "shop", service: "db" })
      yield* call(server.port, "DELETE", `/v1/allocations/${web.id}`)
      yield* call(server.port, "DELETE", "/v1/allocations", { app: "shop" })
      const all = yield* events(server)
      expect(all.map(({ allocation, kind }) => ({ kind, allocation: { ...allocation } }))).toEqual([
        { kind: "allocated", allocation: web },
        { kind: "allocated", allocation: db },
        { kind: "released", allocation: web },
        { kind: "released", allocation: db }
      ])
      expect(all[0]?.at).toBe(web.created_at)
      expect(all.map(({ id }) => id)).toEqual(numbers(all[0]?.id ?? 0, 4))
    })
  )

  it.scopedLive("tells nothing of what failed or changed nothing", () =>
    Effect.gen(function* () {
      const server = yield* startServer({ args: ["--range", "20000-20001"] })
      const { port } = yield* allocate(server.port, { app: "shop" })
      const before = yield* events(server)
      yield* call(server.port, "POST", "/v1/allocations", { app: "a", instance: "i", service: "s", port })
      yield* ensure(server, { services: [{ service: "a" }, { service: "b" }, { service: "c" }] })
      yield* call(server.port, "DELETE", "/v1/allocations/4711")
      yield* call(server.port, "DELETE", "/v1/allocations", { app: "nobody" })
      yield* call(server.port, "POST", "/v1/import", {
        version: 1,
        allocations: [{ ...entry(port), port }, entry(4000)]
      })
      expect(yield* events(server)).toEqual(before)
    })
  )

  it.scopedLive("tells of imports, and of none of what was there", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* importAll(server, [4000])
      yield* importAll(server, [4000, 4001])
      const backup = [{ ...entry(4002), created_at: "2025-02-08T15:04:05Z", path: "/home/me/old" }]
      yield* call(server.port, "POST", "/v1/import", { version: 1, allocations: backup })
      expect(yield* told(server)).toEqual(["imported s4000", "imported s4001", "imported s4002"])
      const [last] = (yield* events(server)).slice(-1)
      const { json } = yield* call(server.port, "GET", "/v1/allocations?port=4002")
      expect(json).toEqual([{ ...last?.allocation }])
    })
  )

  it.scopedLive("tells of folders that moved, and of those that are pruned", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(4)
      const folder = yield* temporaryFolder
      const [before, after] = [join(folder, "before"), join(folder, "after")]
      mkdirSync(before)
      yield* allocate(server.port, { app: "shop", instance: "main", service: "web" })
      yield* ensure(server, { working_copy: { folder: before, git_dir: join(before, ".git") } })
      renameSync(before, after)
      yield* ensure(server, { working_copy: { folder: after, git_dir: join(before, ".git") } })
      rmSync(after, { recursive: true })
      yield* call(server.port, "POST", "/v1/prune", {})
      const all = yield* events(server)
      expect(all.map(({ allocation, from, kind }) => ({ kind, path: allocation.path, from }))).toEqual([
        { kind: "allocated" },
        { kind: "moved", path: before },
        { kind: "moved", path: after, from: before },
        { kind: "pruned", path: after }
      ])
    })
  )

  it.scopedLive("tells what the client said about itself, and refuses what is not a small JSON object", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const post = (client: string, service: string) =>
        send(
          server.port,
          `POST /v1/allocations HTTP/1.1\nHost: localhost\nPort-Server-Client: ${client}`,
          JSON.stringify({ app: "shop", instance: "main", service })
        )
      const by = { command: "ensure", folder: "/home/me/\u00fc", user: "me" }
      const wide = (length: number) => JSON.stringify({ a: "x".repeat(length - 8) })
      expect((yield* post(Buffer.from(JSON.stringify(by)).toString("latin1"), "a")).status).toBe(201)
      expect((yield* post(wide(1024), "b")).status).toBe(201)
      for (const refused of [
        wide(1025),
        "[]",
        "portctl",
        '{"a":1',
        '{"a":1}, {"b":2}',
        `${'{"a":'.repeat(40)}1${"}".repeat(40)}`
      ]) {
        const sentence = "the header Port-Server-Client must be a JSON object of at most 1024 bytes"
        expectError(yield* post(refused, "c"), 400, sentence)
      }
      expect((yield* events(server)).map((event) => event.by)).toEqual([by, JSON.parse(wide(1024))])
    })
  )

  it.scopedLive("filters, and pages in both directions", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      for (const service of ["a", "b", "c"]) yield* allocate(server.port, { app: "shop", service })
      yield* allocate(server.port, { app: "blog", service: "a" })
      yield* call(server.port, "DELETE", "/v1/allocations", { app: "shop", service: "b" })
      const all = yield* events(server)
      const [first, second] = all
      const released = all.at(-1)
      expect(yield* told(server, "?limit=2")).toEqual(["allocated a", "released b"])
      expect(yield* told(server, `?after=${first?.id}&limit=2`)).toEqual(["allocated b", "allocated c"])
      expect(yield* told(server, `?before=${released?.id}&limit=1`)).toEqual(["allocated a"])
      expect(yield* told(server, `?before=${released?.id}&after=${second?.id}`)).toEqual(["allocated c", "allocated a"])
      expect(yield* told(server, `?since=${first?.at}&limit=1`)).toEqual(["allocated a"])
      expect(yield* told(server, "?since=2099-01-01T00:00:00Z")).toEqual([])
      expect(yield* told(server, "?app=blog&kind=&service=&port=")).toEqual(["allocated a"])
      expect(yield* told(server, "?kind=released")).toEqual(["released b"])
      expect(yield* told(server, `?port=${released?.allocation.port}`)).toEqual(["allocated b", "released b"])
      for (const [query, sentence] of [
        ["kind=gone", "kind must be one of allocated, released, moved, pruned, imported"],
        ["after=x", "after must be the id of an event"],
        ["before=-1", "before must be the id of an event"],
        ["limit=501", "limit must be an integer from 1 to 500"],
        ["since=2025-02-30T00:00:00Z", "since must be a time like 2025-02-08T15:04:05Z"],
        ["since=1h", "since must be a time like 2025-02-08T15:04:05Z"],
        ["port=0x1", "port must be an integer from 1 to 65535, or 0 for any"],
        ["path=/x", 'unknown field "path"']
      ]) {
        expectError(yield* call(server.port, "GET", `/v1/events?${query}`), 400, sentence ?? "")
      }
    })
  )

  it.scopedLive("keeps the newest 10,000, whatever one request changes", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server.port, { app: "shop", service: "first", port: 3000 })
      const [first] = yield* events(server)
      yield* importAll(server, numbers(10_000, 9_999))
      expect(yield* told(server, "?after=0&limit=1")).toEqual(["allocated first"])
      yield* allocate(server.port, { app: "shop", service: "last", port: 3001 })
      expect(yield* told(server, "?after=0&limit=1")).toEqual(["imported s10000"])
      yield* importAll(server, numbers(20_000, 12_000))
      const [oldest] = yield* events(server, "?after=0&limit=1")
      const [newest] = yield* events(server, "?limit=1")
      expect({ oldest: oldest?.allocation.port, newest: newest?.allocation.port }).toEqual({
        oldest: 22_000,
        newest: 31_999
      })
      // The ids count also what is not kept.
      expect((newest?.id ?? 0) - (first?.id ?? 0)).toBe(9_999 + 1 + 12_000)
      yield* call(server.port, "DELETE", "/v1/allocations", { app: "old" })
      const [last] = yield* events(server, "?limit=1")
      expect(last?.allocation.port).toBe(31_999)
      expect((last?.id ?? 0) - (newest?.id ?? 0)).toBe(21_999)
    })
  )

  it.scopedLive("tells of a released row that another program made unreadable", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { id } = yield* allocate(server.port, { app: "shop" })
      yield* execute(server.database, `UPDATE allocations SET port = 'x', service = x'414243' WHERE id = ${id}`)
      expect((yield* call(server.port, "DELETE", `/v1/allocations/${id}`)).status).toBe(200)
      expect(yield* told(server)).toEqual(["allocated web", "released ABC"])
    })
  )
})
