import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, created, errorOf, expectError, listed, Server, sharedServer } from "../../support/Api.ts"
import { startServer } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

const path = "/v1/allocations"
const owner = { app: "myapp", instance: "dev", service: "postgres" }

sharedServer()("POST /v1/allocations", (it) => {
  describe("the answer", () => {
    it.effect("201 with the allocation in the specification's fields and order", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const answer = yield* call(port, "POST", path, { ...owner, port: 5432 })
        const { id, created_at } = created(answer)
        expect(answer.body.trim()).toBe(JSON.stringify({ id, ...owner, port: 5432, created_at }))
      })
    )

    it.effect("created_at is UTC in whole seconds", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { created_at } = yield* allocate(port, { app: "utc" })
        expect(created_at).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/)
      })
    )

    it.effect("created_at is the same in every later read", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const allocation = yield* allocate(port, { app: "same-time", port: 20001 })
        expect(yield* listed(port, "same-time")).toEqual([allocation])
        expect((yield* call(port, "GET", "/v1/ports/20001")).json).toMatchObject({ holder: allocation })
        const conflict = yield* call(port, "POST", path, { ...owner, port: 20001 })
        expect(conflict.json).toMatchObject({ holder: allocation })
      })
    )

    it.effect("409 carries the holder when the port is taken, by whomever", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const holder = yield* allocate(port, { app: "other", service: "db", port: 20002 })
        const answer = yield* call(port, "POST", path, { ...owner, port: 20002 })
        expect(answer.status).toBe(409)
        expect(answer.body.trim()).toBe(JSON.stringify({ error: "port already allocated", holder }))
      })
    )

    it.effect("409 also for the owner that already holds the port", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const holder = yield* allocate(port, { app: "twice", port: 20003 })
        const again = yield* call(port, "POST", path, { app: "twice", instance: "dev", service: "web", port: 20003 })
        expect({ status: again.status, json: again.json }).toEqual({
          status: 409,
          json: { error: "port already allocated", holder }
        })
      })
    )

    it.effect("a refused conflict changes nothing", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const holder = yield* allocate(port, { app: "keeps", port: 20004 })
        yield* call(port, "POST", path, { app: "wants", instance: "dev", service: "web", port: 20004 })
        expect(yield* listed(port, "keeps")).toEqual([holder])
        expect(yield* listed(port, "wants")).toEqual([])
      })
    )

    it.effect("one service may hold several ports", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const first = yield* allocate(port, { app: "several", port: 20005 })
        const second = yield* allocate(port, { app: "several", port: 20006 })
        expect(yield* listed(port, "several")).toEqual([first, second])
      })
    )

    it.effect("of many requests for one port one gets it and the others learn who", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const answers = yield* Effect.all(
          Array.from({ length: 32 }, (_, index) =>
            call(port, "POST", path, { app: `racer-${index}`, instance: "dev", service: "web", port: 20007 })
          ),
          { concurrency: "unbounded" }
        )
        const [winner, ...more] = answers.filter(({ status }) => status === 201)
        expect(more).toEqual([])
        const losers = answers.filter((answer) => answer !== winner)
        expect(losers.map(({ status, json }) => ({ status, json }))).toEqual(
          losers.map(() => ({ status: 409, json: { error: "port already allocated", holder: winner?.json } }))
        )
      })
    )
  })

  describe("app, instance and service", () => {
    for (const field of ["app", "instance", "service"] as const) {
      const { [field]: _, ...rest } = owner
      const requests = [
        ["missing", rest],
        ["empty", { ...owner, [field]: "" }],
        ["spaces", { ...owner, [field]: "   " }],
        ["tabs and line breaks", { ...owner, [field]: "\t\r\n" }],
        ["no-break and ideographic spaces", { ...owner, [field]: "\u00a0\u3000" }]
      ] as const
      for (const [title, body] of requests) {
        it.effect(`${field} ${title}: 400 app, instance, and service are required`, () =>
          Effect.gen(function* () {
            const { port } = yield* Server
            expectError(yield* call(port, "POST", path, body), 400, "app, instance, and service are required")
          })
        )
      }

      for (const [title, value] of [
        ["null", null],
        ["a number", 5],
        ["a boolean", true],
        ["an array", ["a"]],
        ["an object", { a: 1 }]
      ] as const) {
        it.effect(`${field} that is ${title}: 400 that names the field`, () =>
          Effect.gen(function* () {
            const { port } = yield* Server
            const answer = yield* call(port, "POST", path, { ...owner, [field]: value })
            expectError(answer, 400, new RegExp(field))
          })
        )
      }

      it.effect(`${field} of 255 characters is stored`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const value = "x".repeat(255)
          expect(created(yield* call(port, "POST", path, { ...owner, [field]: value }))).toMatchObject({
            [field]: value
          })
        })
      )

      it.effect(`${field} of 255 characters outside the basic plane is stored`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const value = "🦀".repeat(255)
          expect(created(yield* call(port, "POST", path, { ...owner, [field]: value }))).toMatchObject({
            [field]: value
          })
        })
      )

      for (const [title, value] of [
        ["256 characters", "x".repeat(256)],
        ["256 characters outside the basic plane", "🦀".repeat(256)]
      ] as const) {
        it.effect(`${field} of ${title}: 400 that names the field and the limit`, () =>
          Effect.gen(function* () {
            const { port } = yield* Server
            expectError(
              yield* call(port, "POST", path, { ...owner, [field]: value }),
              400,
              new RegExp(`^${field} .*255`)
            )
          })
        )
      }

      for (const [title, value] of [
        ["NUL", "a\u0000b"],
        ["a line break", "a\nb"],
        ["ESC", "a\u001b[31mb"],
        ["DEL", "a\u007fb"],
        ["a C1 control", "a\u009bb"],
        ["a right-to-left override", "a\u202eb"],
        ["a left-to-right embedding", "a\u202ab"],
        ["a first-strong isolate", "a\u2068b"],
        ["a pop directional isolate", "a\u2069b"]
      ] as const) {
        it.effect(`${field} with ${title}: 400 that names the field and the reason`, () =>
          Effect.gen(function* () {
            const { port } = yield* Server
            const answer = yield* call(port, "POST", path, { ...owner, [field]: value })
            expectError(answer, 400, new RegExp(`^${field} .*(control|direction|bidi)`))
          })
        )
      }

      for (const [title, escaped] of [
        ["a lone high surrogate", "\\ud83e"],
        ["a lone low surrogate", "\\udd80"],
        ["surrogates in the wrong order", "\\udd80\\ud83e"]
      ] as const) {
        it.effect(`${field} with ${title}: 400 that names the field and the reason`, () =>
          Effect.gen(function* () {
            const { port } = yield* Server
            const body = JSON.stringify({ ...owner, [field]: "@" }).replace("@", `a${escaped}b`)
            expectError(yield* call(port, "POST", path, body), 400, new RegExp(`^${field} .*(Unicode|surrogate)`))
          })
        )
      }
    }

    for (const name of [
      " padded ",
      "a/b?c=d&e#f",
      "%2e%2e",
      "'; DROP TABLE allocations; --",
      '"quoted"\\',
      "__proto__",
      "null",
      "0",
      "日本語",
      "👩‍👩‍👧",
      "e\u0301"
    ]) {
      it.effect(`${JSON.stringify(name)} is stored as given`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const allocation = yield* allocate(port, { app: name, instance: name, service: name })
          expect(allocation).toMatchObject({ app: name, instance: name, service: name })
          expect(yield* listed(port, name)).toEqual([allocation])
        })
      )
    }

    for (const [title, one, other] of [
      ["letter case", "Exact", "exact"],
      ["surrounding spaces", "spaced", "spaced "],
      ["Unicode normal forms", "caf\u00e9", "cafe\u0301"]
    ] as const) {
      it.effect(`names that differ in ${title} are different names`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const first = yield* allocate(port, { app: one })
          const second = yield* allocate(port, { app: other })
          expect(yield* listed(port, one)).toEqual([first])
          expect(yield* listed(port, other)).toEqual([second])
        })
      )
    }
  })

  describe("port", () => {
    for (const port of [1, 80, 6667, 51234, 65535]) {
      it.effect(`${port} is allocated when it is asked for`, () =>
        Effect.gen(function* () {
          const server = yield* Server
          expect((yield* allocate(server.port, { app: "asked", port })).port).toBe(port)
        })
      )
    }

    it.effect("absent: one of the range", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const allocation = created(yield* call(port, "POST", path, owner))
        expect(allocation.port).toBeGreaterThanOrEqual(3000)
        expect(allocation.port).toBeLessThanOrEqual(9999)
      })
    )

    it.effect("0: one of the range", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const allocation = created(yield* call(port, "POST", path, { ...owner, port: 0 }))
        expect(allocation.port).toBeGreaterThanOrEqual(3000)
        expect(allocation.port).toBeLessThanOrEqual(9999)
      })
    )

    for (const value of [
      "1.5",
      '"5432"',
      '""',
      "-1",
      "65536",
      "4294972728",
      "1e400",
      "null",
      "true",
      "false",
      "[5432]",
      "{}"
    ]) {
      it.effect(`${value}: 400 that says so, and nothing is allocated`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const app = `bad-port ${value}`
          const body = `{"app":${JSON.stringify(app)},"instance":"dev","service":"web","port":${value}}`
          expectError(yield* call(port, "POST", path, body), 400, /^port .*65535/)
          expect(yield* listed(port, app)).toEqual([])
        })
      )
    }
  })

  describe("unknown fields", () => {
    for (const field of ["prot", "id", "created_at", "App", "constructor", "toString", "__proto__", "hasOwnProperty"]) {
      it.effect(`${field}: 400 that names it, and nothing is allocated`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const app = `unknown ${field}`
          const body = `{"app":${JSON.stringify(app)},"instance":"dev","service":"web","${field}":5432}`
          expectError(yield* call(port, "POST", path, body), 400, new RegExp(field))
          expect(yield* listed(port, app)).toEqual([])
        })
      )
    }

    it.effect("__proto__ with the required fields inside is not a way to give them", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const answer = yield* call(
          port,
          "POST",
          path,
          '{"__proto__":{"app":"proto","instance":"dev","service":"web","port":20100}}'
        )
        expect(answer.status).toBe(400)
        expect(yield* listed(port, "proto")).toEqual([])
      })
    )

    it.effect("a long one is not sent back whole", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const answer = yield* call(port, "POST", path, { ...owner, ["x".repeat(60_000)]: 1 })
        expect(answer.status).toBe(400)
        expect(errorOf(answer).length).toBeLessThan(400)
      })
    )
  })
})

it.scopedLive("created_at is UTC whatever the server's time zone is", () =>
  Effect.gen(function* () {
    const { port } = yield* startServer({ env: { TZ: "Pacific/Kiritimati" } })
    const before = Math.floor(Date.now() / 1000)
    const { created_at } = yield* allocate(port, { app: "zone" })
    const after = Math.ceil(Date.now() / 1000)
    expect(Date.parse(created_at) / 1000).toBeGreaterThanOrEqual(before)
    expect(Date.parse(created_at) / 1000).toBeLessThanOrEqual(after)
  })
)
