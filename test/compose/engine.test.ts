import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  contentAt,
  noEngine,
  noOwnEngine,
  SharedEngine,
  serving,
  sharedEngine,
  startOwnEngine
} from "../support/Engine.ts"
import { freePorts } from "../support/Listening.ts"

describe.skipIf(noEngine !== undefined)("the engine of the tests", () => {
  sharedEngine("shared", (it) => {
    it.effect("runs a container that is reached on its published port", () =>
      Effect.gen(function* () {
        const { docker } = yield* SharedEngine
        const port = yield* freePorts(1)
        const id = yield* docker(["run", "--detach", "--publish", `127.0.0.1:${port}:80`, ...serving("hello")])
        expect(yield* contentAt(port)).toBe("hello")
        yield* docker(["rm", "--force", id])
      })
    )

    it.effect("has a Compose that knows !override", () =>
      Effect.gen(function* () {
        const { docker } = yield* SharedEngine
        const version = yield* docker(["compose", "version", "--short"])
        const [major = 0, minor = 0] = version.split(".").map(Number)
        expect(major * 1000 + minor, version).toBeGreaterThan(2024)
      })
    )
  })

  it.scopedLive.skipIf(noOwnEngine !== undefined)("stops with its containers, and has them when it starts again", () =>
    Effect.gen(function* () {
      const { docker, start, stop } = yield* startOwnEngine(["--userland-proxy=false"])
      const port = yield* freePorts(1)
      const id = yield* docker(["run", "--detach", "--publish", `${port}:80`, ...serving("again")])
      expect(yield* contentAt(port)).toBe("again")
      yield* stop
      yield* start
      expect(yield* docker(["ps", "--all", "--quiet", "--no-trunc"])).toBe(id)
      yield* docker(["start", id])
      expect(yield* contentAt(port)).toBe("again")
    })
  )
})
