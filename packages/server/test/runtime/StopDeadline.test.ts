import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { start } from "../../../../test/support/Programs.ts"
import { deadline } from "../../src/runtime/StopDeadline.ts"

const module = fileURLToPath(new URL("../../src/runtime/StopDeadline.ts", import.meta.url))

const script = `
  const { install } = await import(process.argv[1])
  install()
  setInterval(() => {}, 1000)
  console.log("ready")`

const hanging = Effect.tap(
  start(process.execPath, ["--experimental-strip-types", "--input-type=module", "-e", script, "--", module]),
  ({ printed }) => printed(/ready/)
)

describe.concurrent("the deadline of a stop", () => {
  it("is within the 5 s that docs/guarantees.md gives", () => {
    expect(deadline).toBeLessThan(5_000)
  })

  it.scopedLive("ends a process that hangs", () =>
    Effect.gen(function* () {
      const running = yield* hanging
      running.process.kill("SIGTERM")
      expect(yield* running.ended).toMatchObject({ code: null, signal: "SIGKILL" })
    })
  )
})
