import { createServer } from "node:http"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectError } from "../../support/Expectations.ts"
import { portctl } from "../../support/Programs.ts"

/** A server that does not know a field which it is sent. */
const olderServer = (field: string) =>
  Effect.acquireRelease(
    Effect.async<{ readonly address: string; readonly close: () => void }>((resume) => {
      const server = createServer((_, response) => {
        response
          .writeHead(400, { "Content-Type": "application/json", Connection: "close" })
          .end(JSON.stringify({ error: `unknown field ${JSON.stringify(field)}` }))
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
        const { address } = yield* olderServer(field)
        const ended = yield* portctl(args.split(" "), { env: { PORT_SERVER_ADDR: address } })
        expectError(
          ended,
          `the port-server at ${address} is older than this program and does not know the field "${field}"; portctl restart starts the new version`
        )
        expect(ended.code).toBe(1)
      })
    )
  }
})
