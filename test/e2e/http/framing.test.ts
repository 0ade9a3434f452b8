import { connect } from "node:net"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, listed, Server, sharedServer } from "../../support/Api.ts"
import { pidAt } from "../../support/Daemon.ts"
import { call, exchange } from "../../support/Wire.ts"

const path = "/v1/allocations"

const routes = [
  ["GET", "/healthz"],
  ["HEAD", "/healthz"],
  ["GET", path],
  ["POST", path],
  ["DELETE", path],
  ["DELETE", `${path}/999999`],
  ["GET", "/v1/ports/80"],
  ["POST", "/v1/ensure"],
  ["GET", "/v1/listeners"],
  ["POST", "/v1/prune"],
  ["GET", "/v1/server"],
  ["POST", "/v1/import"],
  ["GET", "/openapi.json"],
  ["GET", "/portctl.schema.json"],
  ["GET", "/docs"],
  ["GET", "/docs/swagger-ui.js"],
  ["GET", "/docs/swagger-ui.css"]
] as const

// Each waits until what its client may still send is read: a second.
const together = { concurrent: true }

const statuses = (received: string) => received.match(/HTTP\/1\.1 \d{3}/g)?.map((line) => line.slice(9)) ?? []

/** Send bytes, and then the end of the connection or its reset. */
const leave = (port: number, bytes: string, how: "end" | "reset") =>
  Effect.async<void>((resume) => {
    const socket = connect({ port, host: "127.0.0.1" })
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.void))
    socket.resume().write(bytes, () => (how === "end" ? socket.end() : socket.resetAndDestroy()))
  })

sharedServer()("a request whose framing is broken", (it) => {
  for (const [method, target] of routes) {
    const head = `${method} ${target} HTTP/1.1\r\nHost: localhost\r\n`

    describe(`${method} ${target}`, () => {
      for (const [title, bytes] of [
        ["a chunk size that is no number", `${head}Transfer-Encoding: chunked\r\n\r\nZ\r\n`],
        ["a chunk that is longer than its size", `${head}Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n`],
        ["a broken trailer", `${head}Transfer-Encoding: chunked\r\n\r\n0\r\nbroken\r\n\r\n`]
      ] as const) {
        it.effect(
          `gets one 400 for ${title}, and the server goes on`,
          () =>
            Effect.gen(function* () {
              const { pid, port } = yield* Server
              expect(statuses(yield* exchange(port, bytes))).toEqual(["400"])
              expect(yield* pidAt(port)).toBe(pid)
            }),
          together
        )
      }

      for (const how of ["end", "reset"] as const) {
        for (const [title, bytes] of [
          ["in its headers", head],
          ["before its body", `${head}Content-Length: 100\r\n\r\n`],
          ["in its body", `${head}Content-Length: 100\r\n\r\n{`],
          ["in a chunk", `${head}Transfer-Encoding: chunked\r\n\r\n5\r\n{`],
          ["after it", `${head}\r\n`]
        ] as const) {
          it.effect(
            `may ${how} ${title}, and the server goes on`,
            () =>
              Effect.gen(function* () {
                const { pid, port } = yield* Server
                yield* leave(port, bytes, how)
                expect(yield* pidAt(port)).toBe(pid)
              }),
            together
          )
        }
      }
    })
  }

  for (const [title, rest] of [
    ["a broken chunk", "Transfer-Encoding: chunked\r\n\r\nZ\r\n"],
    ["a body that ends early", "Content-Length: 100\r\n\r\n{"]
  ] as const) {
    it.effect(`releases nothing with ${title}`, () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const kept = yield* allocate(port, { app: title })
        yield* leave(port, `DELETE ${path}/${kept.id} HTTP/1.1\r\nHost: localhost\r\n${rest}`, "end")
        expect(yield* listed(port, title)).toEqual([kept])
      })
    )
  }

  it.effect("gets its 400 after the responses to those before it, and nothing after it is a request", () =>
    Effect.gen(function* () {
      const { pid, port } = yield* Server
      const ok = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
      const broken = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n"
      expect(statuses(yield* exchange(port, ok + ok + broken + ok))).toEqual(["200", "200", "400"])
      expect(yield* pidAt(port)).toBe(pid)
    })
  )

  it.effect("CONNECT, and then a reset, does no harm", () =>
    Effect.gen(function* () {
      const { pid, port } = yield* Server
      yield* leave(port, "CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", "reset")
      expect((yield* call(port, "GET", "/healthz")).json).toEqual({ status: "ok" })
      expect(yield* pidAt(port)).toBe(pid)
    })
  )
})
