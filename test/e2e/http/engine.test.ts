import { createServer } from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fakeEngine } from "../../support/FakeEngine.ts"
import { freePorts } from "../../support/Listening.ts"
import { portctl, startServer, temporaryFolder } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

/** The socket of an engine that accepts, and answers each connection with these bytes or never. */
const engine = (bytes?: string) =>
  Effect.gen(function* () {
    const socket = join(yield* temporaryFolder, "engine.sock")
    const server = createServer((connection) => {
      connection.on("error", () => {})
      if (bytes !== undefined) connection.end(bytes)
    })
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => void server.listen(socket, () => resume(Effect.void))),
      () => Effect.sync(() => server.close())
    )
    return socket
  })

describe.concurrent("an engine that does not say all of its containers", () => {
  for (const [what, bytes, reason] of [
    ["accepts and never answers", undefined, "it does not answer within 300 ms"],
    ["answers with an error", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "it answered with status 500"],
    ["is another program", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "it does not answer as a container engine"]
  ] as const) {
    it.scopedLive(`because it ${what}, is unknown, and ports are given out all the same`, () =>
      Effect.gen(function* () {
        const socket = yield* engine(bytes)
        const server = yield* startServer({ probe: true, args: ["--engine", `unix://${socket}`] })
        const { port } = server
        const body = { app: "shop", instance: "main", service: "web" }
        expect((yield* call(port, "POST", "/v1/allocations", body)).status).toBe(201)
        const { json } = yield* call(port, "GET", "/v1/containers")
        expect(json).toEqual({
          engine: { status: "unknown", socket, error: `${socket}: ${reason}` },
          containers: []
        })
        // No table of the kernel has it, and no engine says that a container needs it.
        const free = String(yield* freePorts(1))
        const doubt = `whether a stopped container publishes it is unknown: ${socket}: ${reason} (see portctl doctor)`
        expect(yield* portctl(["check", "--port", free], { server })).toMatchObject({
          code: 0,
          stdout: `port ${free} is available\n`,
          stderr: `note: ${doubt}\n`
        })
        expect((yield* portctl(["why", "--port", free], { server })).stdout).toContain(`\n${doubt}\n`)
      })
    )
  }

  it.scopedLive("says so where it does not tell the ports of some containers", () =>
    Effect.gen(function* () {
      const port = yield* freePorts(2)
      const folder = yield* temporaryFolder
      const engine = yield* fakeEngine([
        { name: "told", port, folder, isStopped: true },
        { name: "untold", port: port + 1, folder, isStopped: true, isUntold: true }
      ])
      const server = yield* startServer({ probe: true, args: ["--engine", engine] })
      const error = `${engine.slice("unix://".length)}: it has not told the ports of 1 of its containers`
      const { json } = yield* Effect.repeat(call(server.port, "GET", "/v1/containers"), {
        until: ({ json }) => JSON.stringify(json).includes(error)
      })
      expect(json).toMatchObject({
        engine: { status: "running", error },
        containers: [
          { name: "told", ports: [{ port }] },
          { name: "untold", ports: [] }
        ]
      })
      expect(yield* portctl(["check", "--port", String(port + 1)], { server })).toMatchObject({
        code: 0,
        stderr: `note: whether a stopped container publishes it is unknown: ${error} (see portctl doctor)\n`
      })
      expect((yield* portctl(["check", "--port", String(port)], { server })).stdout).toContain(
        "told (busybox, Compose project told) is stopped and publishes it"
      )
      expect((yield* portctl(["doctor"], { server })).stdout).toContain(
        `warning  engine      which ports its stopped containers publish is not all known: ${error}`
      )
    })
  )
})
