import { createServer } from "node:http"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectError } from "../../support/Expectations.ts"
import { portctl } from "../../support/Programs.ts"

/** A server that answers each path with a status and a body. */
const olderServer = (answerOf: (path: string) => readonly [status: number, body: unknown]) =>
  Effect.acquireRelease(
    Effect.async<{ readonly address: string; readonly close: () => void }>((resume) => {
      const server = createServer(({ url = "" }, response) => {
        const [status, body] = answerOf(url.replace(/\?.*/, ""))
        response
          .writeHead(status, { "Content-Type": "application/json", Connection: "close" })
          .end(JSON.stringify(body))
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ address: `127.0.0.1:${port}`, close: () => server.close() }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

describe.concurrent("a server that is older than portctl", () => {
  for (const [args, field] of [
    ["list", "limit"],
    ["export", "limit"],
    ["ensure --service web --app a --instance b", "share"]
  ] as const) {
    it.scopedLive(`portctl ${args} reports it in one line, with what to do`, () =>
      Effect.gen(function* () {
        const { address } = yield* olderServer(() => [400, { error: `unknown field ${JSON.stringify(field)}` }])
        const ended = yield* portctl(args.split(" "), { env: { PORT_SERVER_ADDR: address } })
        expectError(
          ended,
          `the port-server at ${address} is older than this program and does not know the field "${field}"; portctl restart starts the new version`
        )
        expect(ended.code).toBe(1)
      })
    )
  }

  it.scopedLive("does not judge stopped containers: portctl list --live shows them from the list of containers", () =>
    Effect.gen(function* () {
      const allocation = { id: 1, port: 27001, app: "shop", instance: "main", service: "turn" }
      const ports = [27001, 27002].map((port) => ({ port, protocol: "udp" }))
      const containers = ["turn", "other"].map((name) => ({ id: name, name, image: "coturn", state: "stopped", ports }))
      const { address } = yield* olderServer((path) => [
        200,
        path === "/v1/containers"
          ? { engine: { status: "running" }, containers }
          : path === "/v1/allocations"
            ? [{ ...allocation, path: "/", created_at: "2026-01-01T00:00:00Z" }]
            : []
      ])
      const live = yield* portctl(["list", "--live"], { env: { PORT_SERVER_ADDR: address } })
      expect(live).toMatchObject({ code: 0, stdout: expect.stringMatching(/turn \(coturn\), stopped$/m) })
    })
  )
})
