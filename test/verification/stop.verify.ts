import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type PortServer, startServer } from "../support/Programs.ts"
import { type Connection, connected, refusing } from "../support/Sockets.ts"
import { readDatabase } from "../support/Sqlite.ts"
import { judge, statusesOf } from "./ResponseChecker.ts"

const rowShape = Schema.decodeUnknownSync(
  Schema.Array(Schema.Struct({ id: Schema.Int, app: Schema.String, port: Schema.Int }))
)
const allocationShape = Schema.decodeUnknownSync(
  Schema.Struct({ id: Schema.Int, app: Schema.String, port: Schema.Int })
)

const stored = (server: PortServer) =>
  Effect.map(readDatabase(server.database, "SELECT id, app, port FROM allocations ORDER BY id"), (rows) =>
    rowShape(rows)
  )

interface InFlight {
  readonly connection: Connection
  readonly rest: string
  readonly app: string
}

/** A request whose headers the server has admitted and whose body is half sent. */
const halfSent = (server: PortServer, app: string) =>
  Effect.gen(function* () {
    const connection = yield* connected(server.port)
    const body = JSON.stringify({ app, instance: "dev", service: "web" })
    yield* connection.send(
      `POST /v1/allocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`
    )
    yield* connection.received(/^HTTP\/1\.1 100 Continue\r\n\r\n/)
    yield* connection.send(body.slice(0, 12))
    return { connection, rest: body.slice(12), app }
  })

const many = (server: PortServer, count: number, name: string) =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => `${name}-${index}`),
    (app) => halfSent(server, app),
    { concurrency: 10 }
  )

/** What a connection brought in the end, after `100 Continue`. */
const outcome = ({ connection, app }: InFlight) =>
  Effect.map(connection.closed, (bytes) => {
    const answers = judge({ bytes, end: "closed" }).filter(({ status }) => status !== 100)
    return { app, statuses: statusesOf(answers), json: answers[0]?.json }
  })

/** Every acknowledged allocation is stored as it was acknowledged, and nothing is stored that nobody asked for. */
const expectStored = (
  rows: ReadonlyArray<{ readonly id: number; readonly app: string; readonly port: number }>,
  outcomes: ReadonlyArray<{ readonly app: string; readonly statuses: string; readonly json: unknown }>
) => {
  const acknowledged = outcomes.filter(({ statuses }) => statuses.startsWith("201"))
  for (const { json } of acknowledged) {
    const { id, app, port } = allocationShape(json)
    expect(rows).toContainEqual({ id, app, port })
  }
  const refused = outcomes.filter(({ statuses }) => /^[45]/.test(statuses)).map(({ app }) => app)
  expect(rows.filter(({ app }) => refused.includes(app))).toEqual([])
  const asked = new Set(outcomes.map(({ app }) => app))
  expect(rows.filter(({ app }) => !asked.has(app))).toEqual([])
}

describe("a stop with 50 requests in flight", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it.scopedLive(`${signal}: what is completed is answered and kept, the others are closed, exit 0 within 5 s`, () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const completed = yield* many(server, 35, "completed")
        const slowly = yield* many(server, 5, "slowly")
        const never = yield* many(server, 10, "never")
        const began = performance.now()
        server.process.kill(signal)
        yield* refusing(server.port)
        // A late request on a connection that has one in flight is not for a server that stops.
        yield* Effect.forEach(completed, ({ connection, rest }, index) =>
          connection.send(rest + (index % 2 === 0 ? "" : "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        )
        yield* Effect.forEach(
          slowly,
          ({ connection, rest }) => Effect.forEach(rest, (byte) => Effect.delay(connection.send(byte), "20 millis")),
          { concurrency: "unbounded" }
        )
        const outcomes = yield* Effect.forEach([...completed, ...slowly, ...never], outcome, {
          concurrency: "unbounded"
        })
        const ended = yield* server.ended
        const took = performance.now() - began
        console.log(`${signal} with 50 requests in flight: ended after ${Math.round(took)} ms`)
        expect(ended).toMatchObject({ code: 0, signal: null, stderr: "" })
        expect(took).toBeLessThan(5_000)
        for (const { app, statuses } of outcomes) {
          if (app.startsWith("never")) expect(statuses, app).toMatch(/^(408|503)?$/)
          else expect(statuses, app).toMatch(/^201( 503)?$/)
        }
        expectStored(yield* stored(server), outcomes)
      })
    )
  }

  it.scopedLive("a second signal ends at once; what was answered is kept", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const completed = yield* many(server, 25, "completed")
      const never = yield* many(server, 25, "never")
      server.process.kill("SIGTERM")
      yield* refusing(server.port)
      yield* Effect.forEach(completed, ({ connection, rest }) => connection.send(rest))
      const began = performance.now()
      server.process.kill("SIGINT")
      const outcomes = yield* Effect.forEach([...completed, ...never], outcome, { concurrency: "unbounded" })
      const ended = yield* server.ended
      expect(ended.code).not.toBe(0)
      // An orderly stop would wait 4 s for those that never complete.
      expect(performance.now() - began).toBeLessThan(3_000)
      expectStored(yield* stored(server), outcomes)
    })
  )

  it.scopedLive("kill -9: what was answered is kept, and no answer means unknown", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const completed = yield* many(server, 50, "completed")
      yield* Effect.forEach(completed, ({ connection, rest }) => connection.send(rest))
      yield* completed[0]?.connection.received(/HTTP\/1\.1 201/) ?? Effect.void
      server.process.kill("SIGKILL")
      const outcomes = yield* Effect.forEach(completed, outcome, { concurrency: "unbounded" })
      expect(outcomes.filter(({ statuses }) => !/^(201)?$/.test(statuses))).toEqual([])
      expect(outcomes.some(({ statuses }) => statuses === "201")).toBe(true)
      yield* server.ended
      expectStored(yield* stored(server), outcomes)
    })
  )

  it.scopedLive("clients that never read their answers hold no stop up", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const big = "x".repeat(255)
      const open = yield* connected(server.port)
      const body = JSON.stringify({ app: big, instance: big, service: big })
      const post = `POST /v1/allocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`
      yield* open.send(post.repeat(100))
      yield* open.received(/"id":100,/)
      const deaf = yield* Effect.forEach(Array.from({ length: 20 }), () => connected(server.port), { concurrency: 5 })
      for (const connection of deaf) {
        connection.pause()
        yield* connection.send("GET /v1/allocations HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200))
      }
      const began = performance.now()
      server.process.kill("SIGTERM")
      const ended = yield* server.ended
      console.log(`SIGTERM with 20 deaf clients: ended after ${Math.round(performance.now() - began)} ms`)
      expect(ended).toMatchObject({ code: 0, signal: null, stderr: "" })
    })
  )
})
