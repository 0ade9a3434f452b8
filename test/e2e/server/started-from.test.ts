import { cpSync, mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { bin, start, temporaryFolder } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

/** Run a command line that starts port-server in a folder; its port and its process. */
const started = Effect.fnUntraced(function* (home: string, command: ReadonlyArray<string>) {
  const [program = "", ...args] = [...command, "--port", "0", "--db", join(home, "ports.db")]
  const running = yield* start(program, args, { env: { HOME: home } })
  const [, digits = ""] = yield* running.printed(/listening on http:\/\/127\.0\.0\.1:(\d+), /)
  return { ...running, port: Number(digits) }
})

describe.concurrent("port-server", () => {
  it.scopedLive.skipIf(process.platform !== "linux")("probes folders also after its Node was removed", () =>
    Effect.gen(function* () {
      const home = yield* temporaryFolder
      const node = join(home, "node")
      cpSync(process.execPath, node)
      const { port } = yield* started(home, [node, `${bin.portServer}.cjs`])
      rmSync(node)
      const path = join(home, "shop")
      mkdirSync(path)
      const asked = { app: "shop", instance: "main", services: [{ service: "web" }], path }
      expect((yield* call(port, "POST", "/v1/ensure", asked)).status).toBe(200)
      rmSync(path, { recursive: true })
      expect((yield* call(port, "POST", "/v1/prune", {})).json).toEqual({
        allocations: [expect.objectContaining({ path })]
      })
    })
  )

  it.scopedLive.skipIf(process.platform !== "linux")("goes on where its terminal closes, if nohup has started it", () =>
    Effect.gen(function* () {
      const { ended, pid, port, process } = yield* started(yield* temporaryFolder, ["nohup", bin.portServer])
      process.kill("SIGHUP")
      expect((yield* call(port, "GET", "/v1/server")).json).toMatchObject({ pid })
      process.kill("SIGTERM")
      expect((yield* ended).code).toBe(0)
      const usual = yield* started(yield* temporaryFolder, [bin.portServer])
      usual.process.kill("SIGHUP")
      expect((yield* usual.ended).code).toBe(0)
    })
  )
})
