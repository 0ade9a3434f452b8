import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectClean, expectUsageError } from "../../support/Expectations.ts"
import { freePorts } from "../../support/Listening.ts"
import { portctl, startServer } from "../../support/Programs.ts"
import { listener } from "../../support/Sockets.ts"
import { call } from "../../support/Wire.ts"

it.scopedLive("check exits with 0 for a free port and with 1 for an allocated one", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const free = yield* freePorts(2)
    const held = free + 1
    const body = { app: "myapp", instance: "dev", service: "postgres", port: held }
    const holder = yield* call(server.port, "POST", "/v1/allocations", body)
    const check = (port: number, ...args: ReadonlyArray<string>) =>
      portctl(["check", "--port", String(port), ...args], { server })
    expectAnswer(yield* check(free), `port ${free} is available\n`)
    expectAnswer(yield* check(free, "--json"), `{"port":${free},"available":true}\n`)
    const taken = yield* check(held)
    expect(taken).toEqual({
      code: 1,
      signal: null,
      stdout: `port ${held} is allocated to myapp/dev/postgres (id=1)\n`,
      stderr: ""
    })
    expectClean(taken)
    expect(yield* check(held, "--json")).toEqual({
      code: 1,
      signal: null,
      stdout: `${JSON.stringify({ port: held, available: false, holder: holder.json })}\n`,
      stderr: ""
    })
    yield* call(server.port, "DELETE", "/v1/allocations/1")
    expectAnswer(yield* check(held), `port ${held} is available\n`)
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
