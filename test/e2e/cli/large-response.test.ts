import { createServer } from "node:http"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectError } from "../../support/Expectations.ts"
import { portctl } from "../../support/Programs.ts"

const mebibyte = 1024 * 1024
const row = '{"id":1,"app":"a","instance":"b","service":"c","port":1,"created_at":"2025-02-08T15:04:05Z"},'
const chunk = row.repeat(Math.ceil(mebibyte / row.length))

/** A server whose response goes on until the client closes the connection, or for 1 GiB. */
const endless = Effect.acquireRelease(
  Effect.async<{ readonly address: string; readonly sent: () => number; readonly close: () => void }>((resume) => {
    let sent = 0
    const server = createServer((_, response) => {
      response.writeHead(200, { "Content-Type": "application/json" }).write("[")
      const write = () => {
        while (!response.destroyed && sent < 1024 * mebibyte) {
          sent += chunk.length
          if (!response.write(chunk)) break
        }
      }
      response.on("drain", write)
      write()
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const close = () => {
        server.closeAllConnections()
        server.close()
      }
      resume(Effect.succeed({ address: `127.0.0.1:${port}`, sent: () => sent, close }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

describe.concurrent("a response without an end", () => {
  for (const args of ["list", "export", "scan", "status", "ensure --service web --app a --instance b"]) {
    it.scopedLive(`portctl ${args} stops reading after 16 MiB and reports it in one line`, () =>
      Effect.gen(function* () {
        const { address, sent } = yield* endless
        const ended = yield* portctl(args.split(" "), { env: { PORT_SERVER_ADDR: address } })
        const doubt = args.startsWith("ensure") ? "; the change may have been made, see portctl list" : ""
        if (args !== "status") {
          expectError(ended, `cannot use the response of ${address}: it is larger than 16 MiB${doubt}`)
        }
        expect(ended).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/^error: [^\n]+\n$/) })
        // What the sockets between the two hold comes on top.
        expect(sent()).toBeLessThan(64 * mebibyte)
      })
    )
  }
})
