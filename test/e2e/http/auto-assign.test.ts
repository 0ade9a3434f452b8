import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, created, expectError } from "../../support/Api.ts"
import { startServer } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

const path = "/v1/allocations"
const owner = { app: "myapp", instance: "dev", service: "web" }

const assign = (port: number, count: number) =>
  Effect.forEach(Array.from({ length: count }), () =>
    Effect.map(call(port, "POST", path, owner), (answer) => created(answer).port)
  )

describe("auto-assignment", () => {
  it.scopedLive("starts at 3000 and goes up", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      expect(yield* assign(port, 3)).toEqual([3000, 3001, 3002])
    })
  )

  it.scopedLive("gives the first free port: skips what is held, reuses what was released", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      yield* allocate(port, { app: "fixed", port: 3001 })
      expect(yield* assign(port, 2)).toEqual([3000, 3002])
      yield* call(port, "DELETE", path, { port: 3000 })
      expect(yield* assign(port, 2)).toEqual([3000, 3003])
    })
  )

  it.scopedLive("gives 64 concurrent requests 64 different ports, and no 409", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const answers = yield* Effect.all(
        Array.from({ length: 64 }, () => call(port, "POST", path, owner)),
        { concurrency: "unbounded" }
      )
      const allocations = answers.map(created)
      expect(allocations.map((allocation) => allocation.port).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 64 }, (_, index) => 3000 + index)
      )
      expect(new Set(allocations.map(({ id }) => id)).size).toBe(64)
    })
  )

  it.scopedLive("stays correct when allocations and releases run side by side", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer({ args: ["--range", "20000-20031"] })
      const cycle = Effect.gen(function* () {
        const allocation = created(yield* call(port, "POST", path, owner))
        expect((yield* call(port, "DELETE", `${path}/${allocation.id}`)).status).toBe(200)
        return allocation.id
      })
      const ids = yield* Effect.all(
        Array.from({ length: 96 }, () => cycle),
        { concurrency: 16 }
      )
      expect(new Set(ids).size).toBe(96)
      expect(yield* assign(port, 32)).toEqual(Array.from({ length: 32 }, (_, index) => 20000 + index))
    })
  )

  it.scopedLive("hands out the ports that browsers refuse only when nothing else is left", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer({ args: ["--range", "6664-6670"] })
      expect(yield* assign(port, 7)).toEqual([6664, 6670, 6665, 6666, 6667, 6668, 6669])
    })
  )

  it.scopedLive("hands out a browser-refused port when the range has no other", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer({ args: ["--range", "4190-4190"] })
      expect(yield* assign(port, 1)).toEqual([4190])
    })
  )

  it.scopedLive("prefers a released ordinary port to a browser-refused one", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer({ args: ["--range", "6664-6670"] })
      expect(yield* assign(port, 3)).toEqual([6664, 6670, 6665])
      yield* call(port, "DELETE", path, { port: 6670 })
      expect(yield* assign(port, 2)).toEqual([6670, 6666])
    })
  )

  it.scopedLive("of an exhausted range: 409 without a holder", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer({ args: ["--range", "4190-4191"] })
      yield* assign(port, 2)
      expectError(yield* call(port, "POST", path, owner), 409, "no free ports in range 4190-4191")
    })
  )

  it.scopedLive("of an exhausted range leaves ports outside it to those who ask for them", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer({ args: ["--range", "4191-4191"] })
      yield* assign(port, 1)
      expect((yield* allocate(port, { app: "asks", port: 4192 })).port).toBe(4192)
    })
  )

  it.scopedLive("works again when a port of an exhausted range is released", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer({ args: ["--range", "4191-4191"] })
      yield* assign(port, 1)
      expect((yield* call(port, "POST", path, owner)).status).toBe(409)
      yield* call(port, "DELETE", `${path}/1`)
      expect(yield* assign(port, 1)).toEqual([4191])
    })
  )
})
