import { connect, type Socket } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, expectError, listed } from "../../support/Api.ts"
import { startServer } from "../../support/Programs.ts"
import { connected } from "../../support/Sockets.ts"
import { call, exchange, parseAnswer } from "../../support/Wire.ts"

// These wait for limits of the server's own, side by side; nothing here measures how long they are. The longest go first.
const concurrent = { concurrent: true }
const path = "/v1/allocations"

/** A connection that has sent some bytes and then sends no more, until the end of the scope. */
const stalled = (port: number, bytes: string) =>
  Effect.acquireRelease(
    Effect.async<Socket>((resume) => {
      const socket = connect({ port, host: "127.0.0.1" })
      socket.on("error", () => {})
      socket.on("connect", () => {
        if (bytes === "") resume(Effect.succeed(socket))
        else socket.write(bytes, () => resume(Effect.succeed(socket)))
      })
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

describe("a client that stalls", () => {
  for (const [title, bytes] of [
    ["in its headers", "GET /healthz HTTP/1.1\r\nHost: loc"],
    ["in its body", `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{`]
  ] as const) {
    it.scopedLive(
      `${title} gets 408 and the end of its connection`,
      () =>
        Effect.gen(function* () {
          const { port } = yield* startServer()
          const answer = parseAnswer(yield* exchange(port, bytes, { timeout: 50_000 }))
          expectError(answer, 408, /.+/)
          expect(answer.headers).toMatchObject({ "content-type": "application/json", "cache-control": "no-store" })
          expect((yield* call(port, "GET", path)).json).toEqual([])
        }),
      concurrent
    )
  }

  it.scopedLive(
    "after an answer has its idle connection closed",
    () =>
      Effect.gen(function* () {
        const { port } = yield* startServer()
        const received = yield* exchange(port, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", { timeout: 50_000 })
        expect(parseAnswer(received).json).toEqual({ status: "ok" })
      }),
    concurrent
  )

  it.scopedLive(
    "in a body that was refused has its connection closed",
    () =>
      Effect.gen(function* () {
        const { port } = yield* startServer()
        const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\nContent-Length: 100\r\n\r\n{`
        expectError(parseAnswer(yield* exchange(port, head, { timeout: 50_000 })), 403, "forbidden origin")
      }),
    concurrent
  )

  for (const [title, bytes] of [
    ["before its first byte", ""],
    ["in its headers", "GET /healthz HTTP/1.1\r\nHost: loc"],
    ["in its body", `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{`],
    ["in a chunk", `POST ${path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{`]
  ] as const) {
    it.scopedLive(
      `${title} keeps no other from its answer`,
      () =>
        Effect.gen(function* () {
          const { port } = yield* startServer()
          const sockets = yield* Effect.all(
            Array.from({ length: 100 }, () => stalled(port, bytes)),
            { concurrency: "unbounded" }
          )
          const allocation = yield* allocate(port, { app: "others" })
          expect(yield* listed(port, "others")).toEqual([allocation])
          expect(sockets.filter(({ destroyed }) => destroyed)).toEqual([])
        }),
      concurrent
    )
  }
})

describe("uploads that come slowly", () => {
  const head = (target: string, length: number) =>
    `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n`
  const body = (bytes: number) => "x".repeat(bytes)

  for (const [title, count, bytes] of [
    ["of 4 MiB", 16, head("/v1/import", 4 * 1024 * 1024) + body(4 * 1024 * 1024 - 1)],
    ["of 64 KiB", 320, head(path, 64 * 1024) + body(64 * 1024 - 1)]
  ] as const) {
    it.scopedLive(
      `${count} ${title} leave room for small requests, and too many of them get 503`,
      () =>
        Effect.gen(function* () {
          const { port } = yield* startServer()
          let refused = 0
          const sockets = yield* Effect.all(
            Array.from({ length: count }, () => stalled(port, bytes)),
            { concurrency: "unbounded" }
          )
          for (const socket of sockets) {
            socket.once("data", (data) => {
              if (data.toString("latin1").startsWith("HTTP/1.1 503")) refused++
            })
          }
          for (let index = 0; refused === 0; index++) yield* allocate(port, { app: `app-${index}` })
          expect(refused).toBeLessThan(count)
          yield* allocate(port, { app: "others" })
        }),
      concurrent
    )
  }
})

it.scopedLive("bodies of clients that have gone away leave their room to others", () =>
  Effect.gen(function* () {
    const { port } = yield* startServer()
    const body = JSON.stringify({ app: "shop", instance: "dev", service: "web" })
    const head = (length: number) => `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n`
    /** Sends less of a body than it has promised, closes its half of the connection, and waits for the other half. */
    const gone = Effect.async<void>((resume) => {
      const socket = connect({ port, host: "127.0.0.1" }, () => socket.end(head(65_000) + " ".repeat(60_000)))
      socket.on("error", () => {}).on("close", () => resume(Effect.void))
      socket.resume()
    })
    // Together more than the bodies that may be received at a time.
    yield* Effect.all(
      Array.from({ length: 300 }, () => gone),
      { concurrency: 16 }
    )
    const { received, send } = yield* connected(port)
    yield* send(head(60_000 + body.length) + " ".repeat(60_000))
    yield* call(port, "GET", "/healthz")
    yield* send(body)
    expect(yield* received(/^HTTP\/1\.1 \d+ /)).toMatch(/^HTTP\/1\.1 201 /)
  })
)
