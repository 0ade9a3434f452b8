import { spawnSync } from "node:child_process"
import { expect, it } from "@effect/vitest"
import { Port } from "@port-server/domain/Port"
import { ServerAddress } from "@port-server/domain/ServerAddress"
import * as Effect from "effect/Effect"
import { start, startServer } from "../../../../test/support/Programs.ts"
import { listener } from "../../../../test/support/Sockets.ts"
import { byPsAndLsof, isIdentified } from "../../src/server/ServerProcess.ts"

const hasTools = ["ps", "lsof"].every((tool) => spawnSync(tool, ["-v"]).error === undefined)

const ways = [
  [
    "the system's own way",
    true,
    (pid: number, port: number) => isIdentified(pid, new ServerAddress({ host: "127.0.0.1", port: Port.make(port) }))
  ],
  [`ps and lsof${hasTools ? "" : " (skipped: one is not installed)"}`, hasTools, byPsAndLsof]
] as const

for (const [name, isThere, isKnown] of ways) {
  const test = isThere ? it.scopedLive : it.scopedLive.skip

  test(`by ${name}, a port-server that listens on the port is known`, () =>
    Effect.gen(function* () {
      const { pid, port } = yield* startServer()
      expect(isKnown(pid, port)).toBe(true)
    }))

  test(`by ${name}, no other process is taken for one`, () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const sleeper = yield* start("sleep", ["60"])
      const other = yield* listener()
      // Another program, one that listens itself, and a port-server that listens elsewhere.
      expect(isKnown(sleeper.pid, server.port)).toBe(false)
      expect(isKnown(process.pid, other.port)).toBe(false)
      expect(isKnown(server.pid, other.port)).toBe(false)
      sleeper.process.kill("SIGKILL")
      yield* sleeper.ended
      expect(isKnown(sleeper.pid, server.port)).toBe(false)
    }))
}
