import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { pidAt, user } from "../../support/Daemon.ts"
import { childrenOf } from "../../support/Processes.ts"
import { call } from "../../support/Wire.ts"

/** The variables that a process was started with. */
const environOf = (pid: number): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readFileSync(`/proc/${pid}/environ`, "utf8")
      .split("\0")
      .filter(Boolean)
      .map((each) => [each.slice(0, each.indexOf("=")), each.slice(each.indexOf("=") + 1)])
  )

const heap = { MALLOC_ARENA_MAX: "2", MALLOC_MMAP_THRESHOLD_: "131072", MALLOC_TRIM_THRESHOLD_: "1048576" }

describe.skipIf(process.platform !== "linux")("the server that portctl starts", { concurrent: true }, () => {
  it.scopedLive("has glibc give large blocks back, and nothing of its caller's but where its things are", () =>
    Effect.gen(function* () {
      const me = yield* user
      const env = { TZ: "UTC", SECRET: "s", NODE_OPTIONS: "--no-warnings", MALLOC_CHECK_: "3", MALLOC_ARENA_MAX: "9" }
      yield* me.portctl("start", { env })
      const { PATH, PWD, ...others } = environOf(yield* pidAt(me.port))
      expect(PATH).toBe(process.env["PATH"])
      // Some shells that the stub runs in add these.
      const { OLDPWD, SHLVL, _, POSIXLY_CORRECT, ...given } = others
      expect(given).toEqual({ HOME: me.home, TZ: "UTC", ...heap })
    })
  )

  it.scopedLive("gives the process that probes folders the same, and no more than its number of threads", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start", { env: { SECRET: "s" } })
      const pid = yield* pidAt(me.port)
      const services = [{ service: "web" }]
      yield* call(me.port, "POST", "/v1/ensure", { app: "a", instance: "b", path: me.home, services })
      const [child = 0] = childrenOf(pid)
      const { NODE_CHANNEL_FD, NODE_CHANNEL_SERIALIZATION_MODE, ...given } = environOf(child)
      expect(given).toEqual({ ...environOf(pid), UV_THREADPOOL_SIZE: "16" })
    })
  )
})
