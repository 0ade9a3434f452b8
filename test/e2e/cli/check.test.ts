import { existsSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectClean, expectUsageError } from "../../support/Expectations.ts"
import { freePorts } from "../../support/Listening.ts"
import { bin, portctl, start, startServer } from "../../support/Programs.ts"
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

it.scopedLive.skipIf(process.platform !== "linux")("check knows the server itself on its port", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const { code, stdout } = yield* portctl(["check", "--port", String(server.port)], { server })
    expect(code).toBe(1)
    expect(stdout).toContain(`\n  port-server (pid ${server.pid}) is listening on it (tcp 127.0.0.1)\n`)
  })
)

it.scopedLive.skipIf(!existsSync("/dev/full"))("an answer that cannot be written is an error, also a no", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const free = yield* freePorts(2)
    yield* call(server.port, "POST", "/v1/allocations", { app: "a", instance: "b", service: "c", port: free + 1 })
    for (const port of [free, free + 1]) {
      const command = ["-c", 'exec "$0" "$@" > /dev/full', bin.portctl, "check", "--port", String(port)]
      const env = { PORT_SERVER_ADDR: `127.0.0.1:${server.port}` }
      expect(yield* (yield* start("sh", command, { env })).ended).toEqual({
        code: 1,
        signal: null,
        stdout: "",
        stderr: "error: cannot write the output: ENOSPC: no space left on device, write\n"
      })
    }
  })
)

it.scopedLive.skipIf(!existsSync("/dev/full"))(
  "an error without an answer is one line, also where none could be written",
  () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      for (const json of [[], ["--json"]]) {
        const command = ["-c", 'exec "$0" "$@" > /dev/full', bin.portctl, "release", "--id", "7", ...json]
        const env = { PORT_SERVER_ADDR: `127.0.0.1:${server.port}` }
        const { code, stderr } = yield* (yield* start("sh", command, { env })).ended
        expect(code).toBe(1)
        const unwritten = "error: cannot write the output: ENOSPC: no space left on device, write\n"
        expect(stderr.replace(unwritten, "")).toBe("error: allocation 7 not found\n")
        expect(stderr.includes(unwritten)).toBe(json.length > 0)
      }
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
