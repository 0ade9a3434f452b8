import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectClean, expectUsageError } from "../support/Expectations.ts"
import { portctl, startServer } from "../support/Programs.ts"
import { listener } from "../support/Sockets.ts"
import { call } from "../support/Wire.ts"

it.scopedLive("check exits with 0 for a free port and with 1 for an allocated one", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const body = { app: "myapp", instance: "dev", service: "postgres", port: 5432 }
    const held = yield* call(server.port, "POST", "/v1/allocations", body)
    const check = (...args: ReadonlyArray<string>) => portctl(["check", "--port", ...args], { server })
    expectAnswer(yield* check("8080"), "port 8080 is available\n")
    expectAnswer(yield* check("8080", "--json"), '{"port":8080,"available":true}\n')
    const taken = yield* check("5432")
    expect(taken).toEqual({
      code: 1,
      signal: null,
      stdout: "port 5432 is allocated to myapp/dev/postgres (id=1)\n",
      stderr: ""
    })
    expectClean(taken)
    expect(yield* check("5432", "--json")).toEqual({
      code: 1,
      signal: null,
      stdout: `${JSON.stringify({ port: 5432, available: false, holder: held.json })}\n`,
      stderr: ""
    })
    yield* call(server.port, "DELETE", "/v1/allocations/1")
    expectAnswer(yield* check("5432"), "port 5432 is available\n")
  })
)

it.scopedLive("health says ok", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    expectAnswer(yield* portctl(["health"], { server }), "ok\n")
    expectAnswer(yield* portctl(["health", "--json"], { server }), '{"status":"ok"}\n')
  })
)

describe.concurrent("a command line that check cannot follow", () => {
  for (const args of [[], ["--json"], ...["0", "-1", "65536", "abc", "", "1.5"].map((port) => ["--port", port])]) {
    it.scopedLive(`check refuses ${JSON.stringify(args)}, and sends nothing`, () =>
      Effect.gen(function* () {
        const { address, connections } = yield* listener()
        const ended = yield* portctl(["check", ...args], { env: { PORT_SERVER_ADDR: address } })
        expectUsageError(ended, /port/, "portctl check --port")
        expect(connections()).toBe(0)
      })
    )
  }
})
