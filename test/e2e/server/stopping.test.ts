import { stat } from "node:fs/promises"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type PortServer, startServer, temporaryFolder } from "../../support/Programs.ts"
import { type Connection, connected, refusing } from "../../support/Sockets.ts"
import { call, parseAnswer } from "../../support/Wire.ts"

const owner = { app: "a", instance: "b", service: "c" }
const allocate = (server: PortServer) => call(server.port, "POST", "/v1/allocations", owner)

const walSize = ({ database }: PortServer) =>
  Effect.promise(() =>
    stat(`${database}-wal`).then(
      ({ size }) => size,
      () => 0
    )
  )

/** Begin a request whose body is only half there, and wait until the server has admitted it. */
const halfSent = (server: PortServer): Effect.Effect<readonly [Connection, string], never, Scope.Scope> =>
  Effect.gen(function* () {
    const open = yield* connected(server.port)
    const body = JSON.stringify(owner)
    yield* open.send(
      `POST /v1/allocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`
    )
    yield* open.received(/^HTTP\/1\.1 100 Continue\r\n\r\n/)
    yield* open.send(body.slice(0, 5))
    return [open, body.slice(5)] as const
  })

it.scopedLive("SIGUSR1 opens no debugger, which would run the code of any user", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    server.process.kill("SIGUSR1")
    expect(yield* allocate(server)).toMatchObject({ status: 201 })
    server.process.kill("SIGTERM")
    expect(yield* server.ended).toMatchObject({ code: 0, signal: null, stderr: "" })
  })
)

describe.concurrent("stopping", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it.scopedLive(`${signal}: exit 0, everything in the database file, nothing left in the WAL`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const server = yield* startServer({ folder })
        const held = yield* allocate(server)
        expect(yield* walSize(server)).toBeGreaterThan(0)
        server.process.kill(signal)
        expect(yield* server.ended).toMatchObject({ code: 0, signal: null, stderr: "" })
        expect(yield* walSize(server)).toBe(0)
        const again = yield* startServer({ folder })
        expect((yield* call(again.port, "GET", "/v1/allocations")).json).toEqual([held.json])
      })
    )

    it.scopedLive(`${signal}: no new connections, but a request in flight is answered and kept`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const server = yield* startServer({ folder })
        const [open, rest] = yield* halfSent(server)
        server.process.kill(signal)
        yield* refusing(server.port)
        yield* open.send(rest)
        const received = (yield* open.closed).replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, "")
        const answer = parseAnswer(received)
        expect(answer).toMatchObject({ status: 201, json: { id: 1, port: 3000 } })
        expect(yield* server.ended).toMatchObject({ code: 0, signal: null, stderr: "" })
        expect(yield* walSize(server)).toBe(0)
        const again = yield* startServer({ folder })
        expect((yield* call(again.port, "GET", "/v1/allocations")).json).toEqual([answer.json])
      })
    )
  }

  it.scopedLive("a connection that idles does not hold a stop up", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const open = yield* connected(server.port)
      yield* open.send("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
      yield* open.received(/\{"status":"ok"\}/)
      // What may hold it up: the two idle ones have to be closed while this one is still waited for.
      const [request, rest] = yield* halfSent(server)
      const silent = yield* connected(server.port)
      server.process.kill("SIGTERM")
      const first = yield* Effect.race(
        Effect.as(request.closed, "the request in flight was given up"),
        Effect.as(Effect.zip(open.closed, silent.closed), "the idle connections were closed")
      )
      expect(first).toBe("the idle connections were closed")
      yield* request.send(rest)
      expect(yield* request.closed).toContain("HTTP/1.1 201")
      expect(yield* server.ended).toMatchObject({ code: 0, signal: null, stderr: "" })
    })
  )

  it.scopedLive("a request that never ends is given up, and the server still stops as it should", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const [open] = yield* halfSent(server)
      server.process.kill("SIGTERM")
      expect(yield* server.ended).toMatchObject({ code: 0, signal: null, stderr: "" })
      expect(yield* open.closed).not.toContain("HTTP/1.1 201")
      expect(yield* walSize(server)).toBe(0)
    })
  )

  it.scopedLive("a second signal ends at once, whatever is in flight", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const [open] = yield* halfSent(server)
      server.process.kill("SIGTERM")
      yield* refusing(server.port)
      server.process.kill("SIGTERM")
      const ended = yield* server.ended
      // An orderly stop, which would have waited for the request, exits with 0.
      expect(ended.code).not.toBe(0)
      expect(ended.stderr).not.toMatch(/ at /)
      expect(yield* open.closed).not.toContain("HTTP/1.1 201")
    })
  )

  it.scopedLive("what was acknowledged survives kill -9, the same in every field", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const server = yield* startServer({ folder })
      const answers = yield* Effect.all(
        Array.from({ length: 8 }, () => allocate(server)),
        { concurrency: "unbounded" }
      )
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 201))
      yield* call(server.port, "DELETE", "/v1/allocations/3")
      const before = (yield* call(server.port, "GET", "/v1/allocations")).json
      expect(before).toHaveLength(7)
      server.process.kill("SIGKILL")
      yield* server.ended
      const again = yield* startServer({ folder })
      expect((yield* call(again.port, "GET", "/v1/allocations")).json).toEqual(before)
    })
  )

  it.scopedLive("ids grow across stops and kills, and none is given twice", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      for (const [index, signal] of (["SIGTERM", "SIGKILL", "SIGINT"] as const).entries()) {
        const server = yield* startServer({ folder })
        expect((yield* allocate(server)).json).toMatchObject({ id: index + 1, port: 3000 })
        expect((yield* call(server.port, "DELETE", `/v1/allocations/${index + 1}`)).status).toBe(200)
        server.process.kill(signal)
        yield* server.ended
      }
      expect((yield* allocate(yield* startServer({ folder }))).json).toMatchObject({ id: 4, port: 3000 })
    })
  )

  it.scopedLive("two servers on one database never give a port twice", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const servers = [yield* startServer({ folder }), yield* startServer({ folder })]
      const answers = yield* Effect.all(
        servers.flatMap((server) => Array.from({ length: 32 }, () => allocate(server))),
        { concurrency: "unbounded" }
      )
      expect(answers.filter(({ status }) => status !== 201)).toEqual([])
      const ports = answers.map(({ body }) => /"port":(\d+)/.exec(body)?.[1])
      expect(new Set(ports).size).toBe(64)
      for (const { port } of servers) {
        expect((yield* call(port, "GET", "/v1/allocations")).json).toHaveLength(64)
      }
    })
  )
})
