import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { bin, start, startServer, temporaryFolder } from "../../support/Programs.ts"

describe("portctl health", () => {
  it.scopedLive("loads neither Node's fetch, which costs 28 ms and more, nor its HTTP client", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const report = join(yield* temporaryFolder, "report.cjs")
      writeFileSync(report, 'process.on("exit", () => console.error(process.moduleLoadList.join("\\n")))')
      const args = ["--require", report, `${bin.portctl}.cjs`, "health"]
      const running = yield* start(process.execPath, args, { env: { PORT_SERVER_ADDR: server.address } })
      const { stderr, stdout } = yield* running.ended
      expect(stdout).toBe("ok\n")
      expect(stderr).toMatch(/^NativeModule net$/m)
      expect(stderr).not.toMatch(/undici|^NativeModule http$/m)
    })
  )
})
