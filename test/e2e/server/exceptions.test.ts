import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { startServer } from "../../support/Programs.ts"
import { connected } from "../../support/Sockets.ts"
import { call } from "../../support/Wire.ts"

const failingWrite = `
import { ServerResponse } from "node:http"
const { writeHead } = ServerResponse.prototype
ServerResponse.prototype.writeHead = function (...args) {
  if (this.req.url === "/healthz?broken") throw new Error("injected")
  return writeHead.apply(this, args)
}`

const failingEvent = `process.on("SIGUSR2", () => { throw new Error("injected") })`

describe.concurrent("an exception", () => {
  it.scopedLive("while a response is written is logged with its request and ends only that connection", () =>
    Effect.gen(function* () {
      const server = yield* startServer({ injected: failingWrite })
      const other = yield* connected(server.port)
      const broken = yield* connected(server.port)
      yield* broken.send("GET /healthz?broken HTTP/1.1\r\nHost: localhost\r\n\r\n")
      expect(yield* broken.closed).toBe("")
      yield* other.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
      yield* other.received(/"ok"/)
      expect(server.output.stdout).toMatch(/"GET \/healthz\?broken" failed for a bug of port-server/)
      server.process.kill("SIGTERM")
      expect(yield* server.ended).toMatchObject({ code: 0, signal: null })
    })
  )

  it.scopedLive("that nothing catches stops the server in order, with an exit status other than 0", () =>
    Effect.gen(function* () {
      const server = yield* startServer({ injected: failingEvent })
      expect(
        (yield* call(server.port, "POST", "/v1/allocations", { app: "a", instance: "b", service: "c" })).status
      ).toBe(201)
      server.process.kill("SIGUSR2")
      const ended = yield* server.ended
      expect(ended).toMatchObject({ code: 1, signal: null })
      expect(ended.stderr).toContain("Error: injected")
      expect(ended.stderr).toContain("error: port-server stopped after a bug: injected\n")
      const again = yield* startServer({ folder: server.home })
      expect((yield* call(again.port, "GET", "/v1/allocations")).json).toHaveLength(1)
    })
  )
})
