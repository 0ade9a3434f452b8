import { copyFileSync, renameSync, rmSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, expectError } from "../../support/Api.ts"
import { isOf, openStream, type StreamEvent } from "../../support/EventStreams.ts"
import { startServerOnFreePorts } from "../../support/Listening.ts"
import { type PortServer, startServer, temporaryFolder } from "../../support/Programs.ts"
import { connected, listener } from "../../support/Sockets.ts"
import { call, exchange } from "../../support/Wire.ts"

const path = "/v1/events/stream"

const services = (server: PortServer, ...names: ReadonlyArray<string>) =>
  Effect.forEach(names, (service) => allocate(server.port, { app: "shop", service }), { discard: true })

const newestId = ({ port }: PortServer) =>
  Effect.map(call(port, "GET", "/v1/events?limit=1"), ({ body }) => Number(/"id":(\d+)/.exec(body)?.[1]))

/** The events of kinds in a stream, each with its service. */
const told = (blocks: ReadonlyArray<StreamEvent>) =>
  blocks.flatMap(({ data, event }) =>
    event === undefined ? [] : [`${event} ${/"service":"(\w+)"/.exec(JSON.stringify(data))?.[1] ?? ""}`.trim()]
  )

const resume = (server: PortServer, id: string | number | undefined, query = "") =>
  openStream(server.port, { headers: { "Last-Event-ID": String(id) }, query })

describe(`GET ${path}`, () => {
  it.scopedLive("sends what happens from now on, each event as the list has it", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* services(server, "before")
      const stream = yield* openStream(server.port)
      expect(stream.headers).toMatchObject({
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff"
      })
      yield* services(server, "a", "b")
      yield* call(server.port, "DELETE", "/v1/allocations", { app: "shop", service: "a" })
      yield* stream.until(isOf("released", "a"))
      const { json } = yield* call(server.port, "GET", `/v1/events?limit=3`)
      expect(stream.events().map(({ data }) => data)).toEqual(json)
      expect(told(stream.events())).toEqual(["allocated a", "allocated b", "released a"])
      expect(stream.events().map(({ id }) => id)).toEqual(
        stream.events().map(({ data }) => /"id":(\d+)/.exec(JSON.stringify(data))?.[1])
      )
    })
  )

  it.scopedLive("continues after Last-Event-ID, also on a server that was started again", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const first = yield* startServer({ folder })
      const stream = yield* openStream(first.port)
      // Nothing has been sent yet but the position.
      const quiet = stream.lastId()
      yield* services(first, "a", "b")
      yield* stream.until(isOf("allocated", "b"))
      first.process.kill("SIGKILL")
      yield* first.ended
      expect(yield* stream.ended).toBe(false)
      const server = yield* startServer({ folder })
      yield* services(server, ...Array.from({ length: 40 }, (_, index) => `c${index}`))
      const again = yield* resume(server, stream.lastId())
      expect(told(yield* again.until(isOf("allocated", "c39")))).toEqual(
        Array.from({ length: 40 }, (_, index) => `allocated c${index}`)
      )
      const fromQuiet = yield* resume(server, quiet)
      expect(told(yield* fromQuiet.until(isOf("allocated", "c0"))).slice(0, 3)).toEqual([
        "allocated a",
        "allocated b",
        "allocated c0"
      ])
    })
  )

  it.scopedLive("tells its position while only others' events happen", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const stream = yield* openStream(server.port, { query: "?app=mine&listeners=false" })
      const first = stream.lastId()
      // More often than a stream without news has a heartbeat.
      yield* allocate(server.port, { app: "other" }).pipe(
        Effect.delay("1 second"),
        Effect.forever,
        Effect.raceFirst(stream.until(({ id = first }) => id !== first))
      )
      expect(stream.events()).toEqual([])
      expect(Number(stream.lastId())).toBeGreaterThan(Number(first))
    })
  )

  it.scopedLive("says reset where it cannot continue, and sends what happens after that", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* services(server, "a")
      const newest = yield* newestId(server)
      for (const unknown of [newest + 1, newest - 2, 0, "99999999999999999999", "x", "-1", "1.5"]) {
        const stream = yield* resume(server, unknown)
        const blocks = yield* stream.until(({ event }) => event !== undefined)
        expect(blocks.at(-1)).toEqual({ event: "reset", id: String(newest), data: { last: newest } })
      }
      const stream = yield* resume(server, "x")
      yield* stream.until(({ event }) => event === "reset")
      yield* services(server, "b")
      expect(told(yield* stream.until(isOf("allocated", "b")))).toEqual(["reset", "allocated b"])
    })
  )

  it.scopedLive("says reset where more has happened than is kept", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* services(server, "a")
      const id = yield* newestId(server)
      const entries = Array.from({ length: 10_001 }, (_, index) => ({
        app: "old",
        instance: "main",
        service: `s${index}`,
        port: 20_000 + index
      }))
      yield* call(server.port, "POST", "/v1/import", { version: 1, allocations: entries.slice(0, 10_000) })
      const kept = yield* resume(server, id)
      const first = yield* kept.until(({ event }) => event !== undefined)
      expect(told(first)[0]).toBe("imported s0")
      yield* call(server.port, "POST", "/v1/import", { version: 1, allocations: entries.slice(10_000) })
      // With a filter of its own: those who follow the same share for a moment what was read before.
      const lost = yield* resume(server, id, "?app=old")
      expect(told(yield* lost.until(({ event }) => event !== undefined))).toEqual(["reset"])
    })
  )

  it.scopedLive("says reset on a stream whose database is replaced by a new one", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* services(server, "a", "b")
      const stream = yield* openStream(server.port)
      const id = yield* newestId(server)
      const other = yield* startServer()
      yield* services(other, "x", "y", "z")
      other.process.kill("SIGTERM")
      yield* other.ended
      for (const suffix of ["-wal", "-shm"]) rmSync(`${server.database}${suffix}`, { force: true })
      renameSync(other.database, server.database)
      yield* services(server, "c")
      const blocks = yield* stream.until(({ event }) => event === "reset")
      expect(told(blocks)).toEqual(["reset"])
      const again = yield* resume(server, id)
      expect(told(yield* again.until(({ event }) => event !== undefined))[0]).toBe("reset")
    })
  )

  it.scopedLive(
    "ids go on above those of a database that a new one replaces, however often the server was restarted",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const run = Effect.fnUntraced(function* (name: string) {
          const server = yield* startServer({ folder })
          yield* services(server, name)
          const id = yield* newestId(server)
          server.process.kill("SIGTERM")
          yield* server.ended
          return { id, database: server.database }
        })
        const runs = yield* Effect.forEach(["a", "b", "c", "d"], run)
        for (const { database } of runs) rmSync(database, { force: true })
        const ids = [...runs, yield* run("e")].map(({ id }) => id)
        expect(ids).toEqual([...new Set(ids)].sort((one, other) => one - other))
      })
  )

  it.scopedLive("says reset to those who saw what a backup that was put back does not have", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const run = Effect.fnUntraced(function* (...names: ReadonlyArray<string>) {
        const server = yield* startServer({ folder })
        // Ids that are far ahead of the clock.
        const allocations = Array.from({ length: 20_000 }, (_, index) => ({
          app: "old",
          instance: "main",
          service: `s${index}`,
          port: 20_000 + index
        }))
        if (names.includes("a")) yield* call(server.port, "POST", "/v1/import", { version: 1, allocations })
        yield* services(server, ...names)
        const id = yield* newestId(server)
        server.process.kill("SIGTERM")
        yield* server.ended
        return { id, database: server.database }
      })
      const { database, id: saved } = yield* run("a", "b")
      copyFileSync(database, `${database}.backup`)
      const { id: lost } = yield* run("c", "d")
      renameSync(`${database}.backup`, database)
      const server = yield* startServer({ folder })
      const names = ["w", "x", "y", "z"]
      yield* services(server, ...names)
      const followed = yield* resume(server, lost)
      expect(told(yield* followed.until(({ event }) => event !== undefined))).toEqual(["reset"])
      const continued = yield* resume(server, saved)
      expect(told(yield* continued.until(isOf("allocated", "z")))).toEqual(names.map((name) => `allocated ${name}`))
    })
  )

  it.scopedLive("sends only what matches the filters, and refuses those that are none", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const stream = yield* openStream(server.port, { query: "?app=shop&kind=allocated" })
      yield* allocate(server.port, { app: "blog" })
      yield* services(server, "a")
      yield* call(server.port, "DELETE", "/v1/allocations", { app: "shop" })
      yield* services(server, "b")
      expect(told(yield* stream.until(isOf("allocated", "b")))).toEqual(["allocated a", "allocated b"])
      expectError(yield* call(server.port, "GET", `${path}?listeners=yes`), 400, "listeners must be true or false")
      expectError(yield* call(server.port, "GET", `${path}?after=1`), 400, 'unknown field "after"')
    })
  )

  it.scopedLive("sends what begins and ends to listen on allocated ports, and of no others", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(1)
      const silent = yield* openStream(server.port, { query: "?listeners=false" })
      const stream = yield* openStream(server.port)
      const opened = (port: number) =>
        stream.until(({ data, event }) => event === "listeners" && JSON.stringify(data).includes(`"port":${port}`))
      const port = yield* Effect.gen(function* () {
        const held = yield* listener()
        const other = yield* listener()
        yield* allocate(server.port, { app: "shop", service: "web", port: held.port })
        const blocks = yield* opened(held.port)
        const change = blocks.find(({ event }) => event === "listeners")
        expect(change).toMatchObject({
          data: {
            listening: [{ port: held.port, holder: { service: "web" }, listeners: [{ state: "listening" }] }],
            closed: []
          }
        })
        expect(JSON.stringify(blocks)).not.toContain(`"port":${other.port}`)
        return held.port
      }).pipe(Effect.scoped)
      const blocks = yield* stream.until(
        ({ data, event }) => event === "listeners" && JSON.stringify(data).includes(`"closed":[${port}]`)
      )
      expect(blocks.filter(({ event }) => event === "listeners")).toHaveLength(2)
      yield* services(server, "last")
      expect(told(yield* silent.until(isOf("allocated", "last")))).toEqual(["allocated web", "allocated last"])
    })
  )

  it.scopedLive("answers HEAD without a body, and HTTP/1.0 until the end of the connection", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const head = yield* exchange(server.port, `HEAD ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
      expect(head).toMatch(/^HTTP\/1.1 200 OK\r\n.*content-type: text\/event-stream\r\n.*\r\n\r\n$/s)
      const old = yield* connected(server.port)
      yield* old.send(`GET ${path} HTTP/1.0\r\n\r\n`)
      yield* old.received(/\r\n\r\nretry: 1000\n\n: heartbeat\nid: \d+\n\n$/)
      yield* services(server, "a")
      yield* old.received(/event: allocated\ndata: {.*}\n\n$/)
      server.process.kill("SIGTERM")
      expect(yield* old.closed).not.toMatch(/transfer-encoding/i)
    })
  )

  it.scopedLive("is the one request of its connection: the next one waits for its end", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const open = yield* connected(server.port)
      yield* open.send(
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`
      )
      yield* open.received(/id: \d+\n\n/)
      yield* services(server, "a")
      expect(yield* open.received(/event: allocated\n/)).not.toContain('"status":"ok"')
      server.process.kill("SIGTERM")
      const all = yield* open.closed
      expect(all.indexOf("\r\n0\r\n\r\nHTTP/1.1 ")).toBeGreaterThan(all.indexOf("event: allocated"))
      expect((yield* server.ended).code).toBe(0)
    })
  )

  it.scopedLive("lets what a slow reader has not read wait, and stops beside one that reads nothing", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const slow = yield* openStream(server.port, { query: "?listeners=false" })
      const stuck = yield* connected(server.port)
      yield* stuck.send(`GET ${path}?listeners=false HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      yield* stuck.received(/id: \d+\n\n/)
      slow.pause(true)
      stuck.pause()
      // More than the system's buffers hold.
      const wide = "\u3042".repeat(255)
      const allocations = Array.from({ length: 5_000 }, (_, index) => ({
        app: `${wide.slice(0, -5)}${index}`,
        instance: wide,
        service: `s${index}`,
        port: 20_000 + index
      }))
      for (const from of [0, 2_500]) {
        const part = { version: 1, allocations: allocations.slice(from, from + 2_500) }
        expect((yield* call(server.port, "POST", "/v1/import", part)).status).toBe(200)
      }
      expect((yield* call(server.port, "GET", "/healthz")).status).toBe(200)
      slow.pause(false)
      const blocks = yield* slow.until(isOf("imported", "s4999"))
      expect(told(blocks)).toEqual(allocations.map(({ service }) => `imported ${service}`))
      server.process.kill("SIGTERM")
      expect(yield* slow.ended).toBe(true)
      expect((yield* server.ended).code).toBe(0)
    })
  )

  it.scopedLive("ends for a client that closes its half of the connection: it has gone, for all that is known", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const head = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`
      expect(yield* exchange(port, head, { isLast: true })).toMatch(/^HTTP\/1\.1 200 /)
    })
  )

  it.scopedLive("refuses more streams than 128 until one is closed", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const one = yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Effect.replicateEffect(openStream(server.port, { query: "?listeners=false" }), 128, {
            concurrency: 16
          })
          const refused = yield* call(server.port, "GET", path)
          expectError(refused, 503, "too many event streams are open, try again")
          expect(refused.headers["retry-after"]).toBe("1")
          expect((yield* call(server.port, "GET", "/healthz")).status).toBe(200)
          return server
        })
      )
      // The server learns of each closed connection in its own time.
      const reopened = yield* call(one.port, "HEAD", path).pipe(
        Effect.repeat({ until: ({ status }) => status === 200 })
      )
      expect(reopened.status).toBe(200)
    })
  )
})
