import { writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer } from "../../support/Expectations.ts"
import { bin, portctl, temporaryFolder } from "../../support/Programs.ts"
import { noTerminal, onTerminal } from "../../support/Terminals.ts"

const row = (id: number) => ({ id, app: "a", instance: "b", service: "c", port: id, created_at: "", path: "/nowhere" })

/** A server that takes two seconds for a change, and what portctl asks it for. */
const slow = Effect.acquireRelease(
  Effect.async<{ readonly address: string; readonly close: () => void }>((resume) => {
    const server = createServer((request, response) => {
      const isRead = request.method === "GET"
      const body = isRead
        ? request.url?.startsWith("/v1/listeners")
          ? []
          : [row(1), row(2)]
        : request.url === "/v1/prune"
          ? { allocations: [row(1)] }
          : { imported: 2, unchanged: 0 }
      const send = () => response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(body))
      request.resume().on("end", () => setTimeout(send, isRead ? 0 : 2_000))
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      resume(Effect.succeed({ address: `127.0.0.1:${port}`, close: () => server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

const backup = Effect.map(temporaryFolder, (folder) => {
  const file = join(folder, "ports.json")
  const [one, two] = [row(1), row(2)].map((each) => ({ ...each, created_at: "2025-02-08T15:04:05Z" }))
  writeFileSync(file, JSON.stringify({ version: 1, allocations: [one, two] }))
  return file
})

describe.concurrent("a command that takes longer than a second", () => {
  const gone = "port 1 of a/b/c (id=1): /nowhere is gone\n"
  const commands: ReadonlyArray<readonly [args: string, progress: ReadonlyArray<string>, answer: string]> = [
    ["import FILE", ["importing 0 of 2"], "imported 2 allocation(s), 0 unchanged\n"],
    ["prune --dry-run", ["probing folders 0 of 2"], `would release ${gone}`],
    ["prune --yes", ["probing folders 0 of 2", "releasing ports 0 of 1"], `released ${gone}`]
  ]
  for (const [args, progress, answer] of commands) {
    it.scopedLive.skipIf(noTerminal !== undefined)(`portctl ${args} shows how far it is, on a terminal`, () =>
      Effect.gen(function* () {
        const { address } = yield* slow
        const file = yield* backup
        const command = [bin.portctl, ...args.replace("FILE", file).split(" ")]
        const ended = yield* onTerminal(command, { env: { PORT_SERVER_ADDR: address } })
        expect(ended.code).toBe(0)
        // The line is written over, and gone before the result.
        const lines = progress.map((line) => `(\\r${line})+\\r {${line.length}}\\r`)
        const pattern = `^${lines.join("")}${answer.replace(/[()]/g, "\\$&")}$`
        expect(ended.stdout).toMatch(new RegExp(pattern))
      })
    )

    it.scopedLive(`portctl ${args} shows nothing of it elsewhere`, () =>
      Effect.gen(function* () {
        const { address } = yield* slow
        const file = yield* backup
        expectAnswer(
          yield* portctl(args.replace("FILE", file).split(" "), { env: { PORT_SERVER_ADDR: address } }),
          answer
        )
      })
    )
  }
})
