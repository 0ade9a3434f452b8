import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { allocate, expectError, listed } from "../../support/Api.ts"
import { freePorts, listen } from "../../support/Listening.ts"
import { startServer } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

interface Service {
  readonly service: string
  readonly size?: number
  readonly align?: number
  readonly port?: number
  readonly prefer?: number
}

const Held = Schema.Array(Schema.Struct({ service: Schema.String, port: Schema.Int }))
const decode = Schema.decodeUnknownSync(Schema.Struct({ allocations: Held, also_held: Schema.optional(Held) }))

const project = { app: "shop", instance: "main" }

const ask = (port: number, services: ReadonlyArray<Service>) =>
  call(port, "POST", "/v1/ensure", { ...project, services })

/** What the services get, as `name port`. */
const ensure = (port: number, ...services: ReadonlyArray<Service>) =>
  Effect.map(ask(port, services), (answer) => {
    expect(answer.status, answer.body).toBe(200)
    return decode(answer.json).allocations.map(({ port, service }) => `${service} ${port}`)
  })

const release = (port: number, body: object) =>
  Effect.map(call(port, "DELETE", "/v1/allocations", body), ({ json }) => json)

const workers = { service: "workers", size: 3 }

describe("a block", () => {
  it.scopedLive("has consecutive ports of its own, and the same ones again", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      yield* allocate(port, { app: "other", port: 3002 })
      const given = yield* ensure(port, { service: "web" }, workers, { service: "db" })
      expect(given).toEqual(["web 3000", "workers 3003", "workers+1 3004", "workers+2 3005", "db 3001"])
      expect(yield* ensure(port, { service: "web" }, workers, { service: "db" })).toEqual(given)
      expect(yield* ensure(port, { service: "workers+1" })).toEqual(["workers+1 3004"])
      expect(yield* listed(port, "shop")).toHaveLength(5)
    })
  )

  it.scopedLive("begins at a multiple of align, but where it has ports already", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      expect(yield* ensure(port, { service: "web" }, { ...workers, align: 10 }, { service: "x", align: 8 })).toEqual([
        "web 3000",
        "workers 3010",
        "workers+1 3011",
        "workers+2 3012",
        "x 3008"
      ])
      expect(yield* ensure(port, { ...workers, align: 100 })).toEqual([
        "workers 3010",
        "workers+1 3011",
        "workers+2 3012"
      ])
    })
  )

  it.scopedLive("has the preferred ports where all of them are free", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      expect(yield* ensure(port, { ...workers, prefer: 4000 })).toEqual([
        "workers 4000",
        "workers+1 4001",
        "workers+2 4002"
      ])
      expect(yield* ensure(port, { service: "a", size: 2, prefer: 3999 })).toEqual(["a 3000", "a+1 3001"])
    })
  )

  it.scopedLive("has exactly the ports asked for, or none", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      yield* allocate(port, { app: "other", port: 5002 })
      const refused = yield* ask(port, [{ ...workers, port: 5000 }])
      expect(refused).toMatchObject({ status: 409, json: { holder: { app: "other", port: 5002 } } })
      expect(yield* listed(port, "shop")).toEqual([])
      expect(yield* ensure(port, { ...workers, port: 6000 })).toEqual([
        "workers 6000",
        "workers+1 6001",
        "workers+2 6002"
      ])
      // Those that it had are its own still, and told.
      const moved = yield* ask(port, [{ ...workers, port: 7000 }])
      expect(decode(moved.json).also_held?.map(({ port }) => port)).toEqual([6000, 6001, 6002])
    })
  )

  it.scopedLive("grows where it is, or moves as a whole, and keeps its ports when it shrinks", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      expect(yield* ensure(port, { service: "workers" })).toEqual(["workers 3000"])
      expect(yield* ensure(port, { ...workers, size: 2 })).toEqual(["workers 3000", "workers+1 3001"])
      expect(yield* ensure(port, { service: "web" })).toEqual(["web 3002"])
      const moved = yield* ask(port, [workers])
      expect(decode(moved.json)).toMatchObject({
        allocations: [{ port: 3003 }, { port: 3004 }, { port: 3005 }],
        also_held: [{ port: 3000 }, { port: 3001 }]
      })
      yield* release(port, { app: "shop", service: "workers", port: 3000, block: true })
      expect(yield* ensure(port, { ...workers, size: 2 })).toEqual(["workers 3003", "workers+1 3004"])
      expect(yield* listed(port, "shop")).toHaveLength(4)
      expect(yield* ensure(port, workers)).toEqual(["workers 3003", "workers+1 3004", "workers+2 3005"])
    })
  )

  it.scopedLive("gets a port again that was released alone", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const given = yield* ensure(port, workers)
      for (const service of ["workers", "workers+1"]) {
        expect(yield* release(port, { app: "shop", service })).toEqual({ deleted: 1 })
        expect(yield* ensure(port, workers)).toEqual(given)
      }
    })
  )

  it.scopedLive("is released as a whole by its first name, and only it", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      yield* ensure(port, workers, { service: "web" })
      yield* allocate(port, { app: "shop", instance: "main", service: "workers+1", port: 9000 })
      yield* allocate(port, { app: "shop", instance: "other", service: "workers+3", port: 3004 })
      const named = { app: "shop", instance: "main", service: "workers" }
      expect(yield* release(port, { ...named, port: 3001, block: true })).toEqual({ deleted: 0 })
      expect(yield* release(port, { ...named, block: true })).toEqual({ deleted: 3 })
      expect(yield* listed(port, "shop")).toMatchObject([
        { service: "web" },
        { service: "workers+1", port: 9000 },
        { service: "workers+3", instance: "other" }
      ])
    })
  )

  it.scopedLive("is refused where the range has no room for it, and nothing is given", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer({ args: ["--range", "20000-20005"] })
      yield* allocate(port, { app: "other", port: 20003 })
      expectError(yield* ask(port, [{ service: "web" }, workers]), 409, "no free block of 3 ports in range 20000-20005")
      expectError(
        yield* ask(port, [{ ...workers, align: 7 }]),
        409,
        "no free block of 3 ports in range 20000-20005 that begins at a multiple of 7"
      )
      expect(yield* listed(port, "shop")).toEqual([])
      expect(yield* ensure(port, workers)).toEqual(["workers 20000", "workers+1 20001", "workers+2 20002"])
    })
  )

  it.scopedLive("leaves out ports that something listens on", () =>
    Effect.gen(function* () {
      const first = yield* freePorts(6)
      yield* listen("127.0.0.1", first + 1)
      const { port } = yield* startServer({ probe: true, args: ["--range", `${first}-${first + 5}`] })
      expect(yield* ensure(port, workers)).toEqual([
        `workers ${first + 2}`,
        `workers+1 ${first + 3}`,
        `workers+2 ${first + 4}`
      ])
    })
  )

  it.scopedLive("stays a block in a backup", () =>
    Effect.gen(function* () {
      const [before, after] = [yield* startServer(), yield* startServer()]
      yield* allocate(before.port, { app: "other", port: 3000 })
      const given = yield* ensure(before.port, workers)
      const { json: allocations } = yield* call(before.port, "GET", "/v1/allocations")
      expect(yield* call(after.port, "POST", "/v1/import", { version: 1, allocations })).toMatchObject({ status: 200 })
      expect(yield* ensure(after.port, workers)).toEqual(given)
      expect(yield* release(after.port, { app: "shop", service: "workers", block: true })).toEqual({ deleted: 3 })
    })
  )
})

describe("a block that cannot be", () => {
  const long = "a".repeat(254)
  it.scopedLive("is refused in one sentence", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const cases: ReadonlyArray<readonly [services: ReadonlyArray<object>, sentence: string]> = [
        [[{ ...workers, size: 0 }], "services.0.size: size must be an integer from 1 to 256"],
        [[{ ...workers, size: 257 }], "services.0.size: size must be an integer from 1 to 256"],
        [[{ ...workers, size: 1.5 }], "services.0.size: size must be an integer from 1 to 256"],
        [[{ ...workers, size: "3" }], "services.0.size: size must be an integer from 1 to 256"],
        [[{ ...workers, align: 0 }], "services.0.align: align must be an integer from 1 to 65535"],
        [[{ ...workers, prefer: 4001, align: 10 }], "services.0: prefer 4001 is not a multiple of align, 10"],
        [[{ ...workers, port: 65534 }], "services.0: port 65534 leaves no room for 3 ports below 65536"],
        [[{ ...workers, prefer: 65534 }], "services.0: prefer 65534 leaves no room for 3 ports below 65536"],
        [
          [
            { ...workers, size: 200 },
            { service: "web", size: 57 }
          ],
          "services must have at most 256 ports in all, not 257"
        ],
        [[workers, { service: "workers+2" }], 'service "workers+2" is asked for twice'],
        [
          [
            { ...workers, port: 4000 },
            { service: "web", port: 4002 }
          ],
          "port 4002 is asked for twice"
        ],
        [[{ service: long, size: 3 }], "services.0: service must be at most 253 characters long for a block of 3 ports"]
      ]
      for (const [services, sentence] of cases) {
        expectError(yield* call(port, "POST", "/v1/ensure", { ...project, services }), 400, sentence)
      }
      expectError(
        yield* call(port, "DELETE", "/v1/allocations", { app: "a", block: true }),
        400,
        "block needs a service"
      )
      expect(yield* listed(port, "shop")).toEqual([])
    })
  )
})
