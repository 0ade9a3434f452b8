import { readFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectError, listed } from "../support/Api.ts"
import { until } from "../support/Processes.ts"
import { type PortServer, startServer } from "../support/Programs.ts"
import { call } from "../support/Wire.ts"

const path = "/v1/allocations"
const patient = { timeout: 120_000 }
const document = "/docs/swagger-ui.js"

const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`
const post = (body: string) =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`

/** Resident memory of a process, in MiB. */
const memory = ({ pid }: PortServer) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

/** A connection that has sent something and reads nothing until it is told to. */
const unread = (port: number, bytes: string) =>
  Effect.acquireRelease(
    Effect.async<Socket>((resume) => {
      const socket = connect({ port, host: "127.0.0.1" })
      socket.pause().on("error", () => {})
      socket.write(bytes, () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** Read a connection to its end; how many responses came, and the last bytes. */
const readAll = (socket: Socket) =>
  Effect.async<{ readonly responses: number; readonly end: string }>((resume) => {
    let responses = 0
    let end = ""
    socket.setEncoding("latin1").on("data", (text: string) => {
      responses += (end.slice(-14) + text).split("HTTP/1.1 200 OK").length - 1
      end = (end + text).slice(-1_000)
    })
    socket.on("close", () => resume(Effect.succeed({ responses, end })))
    socket.resume()
  })

/** Time for the server to do what it has been asked for, and some requests that it responds to meanwhile. */
const meanwhile = (port: number) =>
  Effect.forEach(Array.from({ length: 40 }), () => call(port, "GET", "/healthz"), { discard: true })

const rows = (from: number, count: number, name: string) =>
  Array.from({ length: count }, (_, index) => ({
    app: name,
    instance: name,
    service: `${index}-${name}`.slice(0, 255),
    port: from + index,
    created_at: "2025-02-08T15:04:05Z"
  }))

/** Import, and again as long as the server is busy, as `Retry-After` asks. */
const importRows = (port: number, allocations: ReadonlyArray<unknown>) =>
  Effect.repeat(call(port, "POST", "/v1/import", { version: 1, allocations }), {
    while: ({ headers, status }) => status === 503 && headers["retry-after"] !== undefined
  })

/** Resolves when a response has begun, of which nothing more is read. */
const begun = (socket: Socket) =>
  Effect.async<void>((resume) => {
    socket.once("readable", () => resume(Effect.void))
  })

describe("a client that does not read", () => {
  it.scopedLive(
    "gets no second response made, and everything in order once it reads",
    () =>
      Effect.gen(function* () {
        const { port } = yield* startServer()
        const body = JSON.stringify({ app: "behind", instance: "dev", service: "web" })
        // 40 MiB: more than the system takes from the server before the client reads.
        const socket = yield* unread(port, get(document).repeat(24) + post(body))
        yield* meanwhile(port)
        expect(yield* listed(port, "behind")).toEqual([])
        const { end, responses } = yield* readAll(socket)
        expect(responses).toBe(24)
        expect(end).toMatch(/HTTP\/1\.1 201 Created[\s\S]*"app":"behind"/)
        expect(yield* listed(port, "behind")).toHaveLength(1)
      }),
    patient
  )

  it.scopedLive(
    "costs little memory, however much it asks for",
    () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        yield* meanwhile(server.port)
        const before = memory(server)
        const sockets = yield* Effect.forEach(Array.from({ length: 20 }), () =>
          unread(server.port, get(document).repeat(300))
        )
        yield* meanwhile(server.port)
        // All that was asked for is 10 GiB; one response for each connection 35 MiB.
        expect(memory(server)).toBeLessThan(before + 100)
        for (const socket of sockets) socket.destroy()
      }),
    patient
  )

  it.scopedLive(
    "keeps others from long lists for as long as 64 MiB wait for it, which is reported, and no longer",
    () =>
      Effect.gen(function* () {
        const server = yield* startServer({ args: ["--range", "1024-65535"] })
        const path4k = `/${"p".repeat(3_900)}`
        for (let from = 10_000; from < 18_000; from += 1_000) {
          const placed = rows(from, 1_000, "wide").map((row) => ({ ...row, path: path4k }))
          expect((yield* importRows(server.port, placed)).status).toBe(200)
        }
        // Each list is 31 MiB, and is asked for only when the one before has begun: they share nothing.
        const sockets = yield* Effect.forEach([1, 2, 3], () =>
          Effect.tap(unread(server.port, get(path)), (socket) => begun(socket))
        )
        const refused = yield* call(server.port, "GET", path)
        expectError(refused, 503, /busy/)
        expect(refused.headers["retry-after"]).toBe("1")
        expect((yield* call(server.port, "GET", "/healthz")).status).toBe(200)
        expect((yield* call(server.port, "POST", path, { app: "small", instance: "a", service: "b" })).status).toBe(201)
        for (const socket of sockets) socket.destroy()
        expect((yield* call(server.port, "GET", path)).json).toHaveLength(8_001)
      }),
    patient
  )
})

describe("large requests at once", () => {
  it.scopedLive(
    "long lists are whole and the same for all who ask",
    () =>
      Effect.gen(function* () {
        const { port } = yield* startServer({ args: ["--range", "1024-65535"] })
        yield* importRows(port, rows(10_000, 5_000, "many"))
        const lists = yield* Effect.forEach(Array.from({ length: 30 }), () => call(port, "GET", path), {
          concurrency: "unbounded"
        })
        for (const { body, headers, json } of lists) {
          expect(json).toHaveLength(5_000)
          expect(headers["content-length"]).toBe(String(body.length))
        }
        expect(new Set(lists.map(({ body }) => body)).size).toBe(1)
      }),
    patient
  )

  it.scopedLive(
    "a long list has everything that was acknowledged before it was asked for",
    () =>
      Effect.gen(function* () {
        const { port } = yield* startServer({ args: ["--range", "1024-65535"] })
        yield* importRows(port, rows(10_000, 3_000, "many"))
        yield* Effect.forEach(
          Array.from({ length: 12 }, (_, index) => `app-${index}`),
          (app) =>
            Effect.gen(function* () {
              yield* call(port, "POST", path, { app, instance: "a", service: "b" })
              expect((yield* call(port, "GET", path)).body).toContain(`"${app}"`)
            }),
          { concurrency: "unbounded" }
        )
      }),
    patient
  )

  it.scopedLive(
    "imports of the largest size: one owner gets everything, the others get the first hundred conflicts",
    () =>
      Effect.gen(function* () {
        const { port } = yield* startServer()
        const all = yield* Effect.forEach(["a", "b", "c", "d"], (name) => importRows(port, rows(10_000, 8_000, name)), {
          concurrency: "unbounded"
        })
        expect(all.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409])
        expect(all.find(({ status }) => status === 200)?.json).toEqual({ imported: 8_000, unchanged: 0 })
        for (const { json } of all.filter(({ status }) => status === 409)) {
          expect(json).toMatchObject({ error: "8000 port(s) already allocated, nothing was imported" })
          expect(json).toHaveProperty("conflicts.length", 100)
        }
      }),
    patient
  )

  it.scopedLive(
    "an import that is wrong somewhere is told where",
    () =>
      Effect.gen(function* () {
        const { port } = yield* startServer()
        const wrong = [...rows(10_000, 1_200, "a"), { app: "a", instance: "b", service: "c", port: 70_000 }]
        expectError(yield* importRows(port, wrong), 400, "allocations.1200: port 70000 is not from 1 to 65535")
        expectError(yield* call(port, "POST", "/v1/import", { version: 1, allocations: 1 }), 400, /allocations/)
        expect((yield* call(port, "GET", path)).json).toEqual([])
      }),
    patient
  )
})

describe("POST /v1/ensure", () => {
  const ensure = (port: number, count: number) =>
    call(port, "POST", "/v1/ensure", {
      app: "wide",
      instance: "dev",
      services: Array.from({ length: count }, (_, index) => ({ service: `s${index}` }))
    })

  it.scopedLive("takes 256 services, and no more", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      expectError(yield* ensure(port, 257), 400, "services must be at most 256, not 257")
      expect((yield* call(port, "GET", path)).json).toEqual([])
      const { json, status } = yield* ensure(port, 256)
      expect(status).toBe(200)
      expect(json).toHaveProperty("allocations.length", 256)
    })
  )
})

describe.skipIf(process.platform !== "linux")("the memory of large requests", () => {
  it.scopedLive(
    "is given back when there are none any more",
    () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        yield* meanwhile(server.port)
        const before = memory(server)
        yield* Effect.forEach(["a", "b", "c", "d"], (name) => importRows(server.port, rows(10_000, 20_000, name)), {
          concurrency: "unbounded"
        })
        expect(memory(server)).toBeGreaterThan(before * 1.5)
        yield* until(() => memory(server) < before * 1.4)
      }),
    patient
  )
})
