import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, expectError, listed, portStatus, Server, sharedServer } from "../../support/Api.ts"
import { startServer } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

const path = "/v1/allocations"

it.scopedLive("GET /v1/allocations: [] when nothing is allocated", () =>
  Effect.gen(function* () {
    const { port } = yield* startServer()
    const { status, body } = yield* call(port, "GET", path)
    expect({ status, body: body.trim() }).toEqual({ status: 200, body: "[]" })
  })
)

it.scopedLive("GET /v1/allocations: every allocation, by id, when no filter is given", () =>
  Effect.gen(function* () {
    const { port } = yield* startServer()
    const allocations = yield* Effect.forEach([9000, 80, 5000, 443], (number) =>
      allocate(port, { app: `app-${number}`, port: number })
    )
    const expected = { status: 200, json: allocations }
    for (const query of ["", "?", "?app=", "?app", "?app=&instance=&service=&port=", "?port=0"]) {
      const { status, json } = yield* call(port, "GET", `${path}${query}`)
      expect({ status, json }, query).toEqual(expected)
    }
    expect(allocations.map(({ id }) => id)).toEqual([1, 2, 3, 4])
  })
)

sharedServer()("a running server", (it) => {
  it.effect('GET /healthz: 200 {"status": "ok"}', () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      const { status, json } = yield* call(port, "GET", "/healthz")
      expect({ status, json }).toEqual({ status: 200, json: { status: "ok" } })
    })
  )

  it.effect("GET /healthz ignores a query", () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      expect((yield* call(port, "GET", "/healthz?now=1")).json).toEqual({ status: "ok" })
    })
  )

  describe("GET /v1/allocations", () => {
    it.effect("has the specification's fields in its order", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { id, created_at } = yield* allocate(port, { app: "fields", port: 21000 })
        const { body } = yield* call(port, "GET", `${path}?app=fields`)
        expect(body.trim()).toBe(
          JSON.stringify([{ id, app: "fields", instance: "dev", service: "web", port: 21000, created_at }])
        )
      })
    )

    it.effect("filters by app, instance, service and port, and-ed together", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const a = yield* allocate(port, { app: "and", instance: "i1", service: "s1", port: 21001 })
        const b = yield* allocate(port, { app: "and", instance: "i1", service: "s2", port: 21002 })
        const c = yield* allocate(port, { app: "and", instance: "i2", service: "s1", port: 21003 })
        const cases = [
          ["app=and", [a, b, c]],
          ["app=and&instance=i1", [a, b]],
          ["app=and&service=s1", [a, c]],
          ["instance=i2&service=s1", [c]],
          ["app=and&instance=i1&service=s2", [b]],
          ["port=21003", [c]],
          ["app=and&port=21001", [a]],
          ["app=and&instance=&service=&port=0", [a, b, c]],
          ["app=and&instance=i2&port=21001", []],
          ["app=An", []]
        ] as const
        for (const [query, expected] of cases) {
          const { status, json } = yield* call(port, "GET", `${path}?${query}`)
          expect({ status, json }, query).toEqual({ status: 200, json: expected })
        }
      })
    )

    it.effect("compares names exactly: no wildcards, no letter case", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        yield* allocate(port, { app: "wild" })
        for (const app of ["WILD", "wil_", "wi%", "*", "wild "]) expect(yield* listed(port, app), app).toEqual([])
      })
    )

    it.effect("reads percent-encoded UTF-8, and + as a space", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const allocation = yield* allocate(port, { app: "a&b=c ü/%+" })
        expect((yield* call(port, "GET", `${path}?app=a%26b%3Dc+%C3%BC%2F%25%2B`)).json).toEqual([allocation])
        expect((yield* call(port, "GET", `${path}?app=a%26b%3dc%20%c3%bc/%25%2B`)).json).toEqual([allocation])
      })
    )

    for (const query of ["app=%zz", "app=%", "app=%ff", "app=%ED%A0%80", "%zz=a"]) {
      it.effect(`?${query}: 400, because it is not percent-encoded UTF-8`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* call(port, "GET", `${path}?${query}`), 400, /.+/)
        })
      )
    }

    for (const query of ["app=a&app=b", "port=1&port=2", "service=&service=x"]) {
      it.effect(`?${query}: 400, because no one value was given`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* call(port, "GET", `${path}?${query}`), 400, /.+/)
        })
      )
    }

    for (const value of ["abc", "-1", "65536", "1.5", "0x50", "%2080", "1e3"]) {
      it.effect(`?port=${value}: 400 that says so`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* call(port, "GET", `${path}?port=${value}`), 400, /port/)
        })
      )
    }

    it.effect("a name that only a stored one can be refused for is a filter that matches nothing", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { status, json } = yield* call(port, "GET", `${path}?app=${"x".repeat(300)}`)
        expect({ status, json }).toEqual({ status: 200, json: [] })
      })
    )
  })

  describe("GET /v1/ports/{port}", () => {
    it.effect("a free port: available, without a holder", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { status, body } = yield* call(port, "GET", "/v1/ports/21100")
        expect({ status, body: body.trim() }).toEqual({ status: 200, body: '{"port":21100,"available":true}' })
      })
    )

    it.effect("an allocated port: not available, with its holder", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const holder = yield* allocate(port, { app: "checked", port: 21101 })
        const { status, body } = yield* call(port, "GET", "/v1/ports/21101")
        expect({ status, body: body.trim() }).toEqual({
          status: 200,
          body: JSON.stringify({ port: 21101, available: false, holder })
        })
      })
    )

    it.effect("a released port is available again", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { id } = yield* allocate(port, { app: "gone", port: 21102 })
        yield* call(port, "DELETE", `${path}/${id}`)
        expect(yield* portStatus(port, 21102)).toEqual({ port: 21102, available: true })
      })
    )

    it.effect("available means not allocated, even where something listens", () =>
      Effect.gen(function* () {
        const { pid, port } = yield* Server
        expect((yield* call(port, "GET", `/v1/ports/${port}`)).json).toMatchObject({
          port,
          available: true,
          listener: { pid }
        })
      })
    )

    for (const number of [1, 65535]) {
      it.effect(`${number} is a port`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expect(yield* portStatus(port, number)).toEqual({ port: number, available: true })
        })
      )
    }

    for (const text of [
      "0",
      "65536",
      "-1",
      "+80",
      "abc",
      "80abc",
      "1.5",
      "80.0",
      "1e3",
      "0x50",
      "%2080",
      "80%20",
      "%EF%BC%98%EF%BC%90",
      "4294967376",
      "9".repeat(100),
      "null",
      "NaN"
    ]) {
      it.effect(`${text}: 400 invalid port`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* call(port, "GET", `/v1/ports/${text}`), 400, "invalid port")
        })
      )
    }
  })

  describe("DELETE /v1/allocations/{id}", () => {
    it.effect('200 {"status": "deleted"}, and it is gone', () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { id } = yield* allocate(port, { app: "released" })
        const { status, json } = yield* call(port, "DELETE", `${path}/${id}`)
        expect({ status, json }).toEqual({ status: 200, json: { status: "deleted" } })
        expect(yield* listed(port, "released")).toEqual([])
      })
    )

    it.effect("releases that one only", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { id } = yield* allocate(port, { app: "one-of-two" })
        const kept = yield* allocate(port, { app: "one-of-two" })
        yield* call(port, "DELETE", `${path}/${id}`)
        expect(yield* listed(port, "one-of-two")).toEqual([kept])
      })
    )

    it.effect("the second time: 404 allocation not found", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { id } = yield* allocate(port, { app: "released-twice" })
        yield* call(port, "DELETE", `${path}/${id}`)
        expectError(yield* call(port, "DELETE", `${path}/${id}`), 404, "allocation not found")
      })
    )

    it.effect("of 16 concurrent ones one succeeds, the others find nothing", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { id } = yield* allocate(port, { app: "released-by-many" })
        const answers = yield* Effect.all(
          Array.from({ length: 16 }, () => call(port, "DELETE", `${path}/${id}`)),
          { concurrency: "unbounded" }
        )
        const statuses = answers.map(({ status }) => status).sort()
        expect(statuses).toEqual([200, ...Array.from({ length: 15 }, () => 404)])
      })
    )

    it.effect("an id that was never given: 404 allocation not found", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expectError(yield* call(port, "DELETE", `${path}/123456789`), 404, "allocation not found")
      })
    )

    for (const text of ["0", "-1", "+1", "abc", "1abc", "1.5", "1e0", "0x1", "%201", "null", "NaN"]) {
      it.effect(`${text}: 400 invalid id`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* call(port, "DELETE", `${path}/${text}`), 400, "invalid id")
        })
      )
    }
  })

  describe("DELETE /v1/allocations", () => {
    it.effect("releases what equals every field given, and says how many", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        yield* allocate(port, { app: "filtered", instance: "dev" })
        yield* allocate(port, { app: "filtered", instance: "dev", service: "db" })
        const kept = yield* allocate(port, { app: "filtered", instance: "prod" })
        const { status, json } = yield* call(port, "DELETE", path, { app: "filtered", instance: "dev" })
        expect({ status, json }).toEqual({ status: 200, json: { deleted: 2 } })
        expect(yield* listed(port, "filtered")).toEqual([kept])
      })
    )

    for (const [field, filter] of [
      ["app", { app: "by-app" }],
      ["instance", { instance: "by-instance" }],
      ["service", { service: "by-service" }],
      ["port", { port: 21200 }]
    ] as const) {
      it.effect(`${field} alone is a filter`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          yield* allocate(port, { app: `by-${field}`, instance: `by-${field}`, service: `by-${field}`, port: 21200 })
          const other = yield* allocate(port, { app: "bystander", port: 21201 })
          expect((yield* call(port, "DELETE", path, filter)).json).toEqual({ deleted: 1 })
          expect(yield* listed(port, "bystander")).toEqual([other])
          yield* call(port, "DELETE", `${path}/${other.id}`)
        })
      )
    }

    it.effect("empty names and port 0 beside a real filter count as absent", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        yield* allocate(port, { app: "half-empty" })
        const body = { app: "half-empty", instance: "", service: "", port: 0 }
        expect((yield* call(port, "DELETE", path, body)).json).toEqual({ deleted: 1 })
      })
    )

    it.effect('nothing matches: 200 {"deleted": 0}', () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { status, json } = yield* call(port, "DELETE", path, { app: "nobody" })
        expect({ status, json }).toEqual({ status: 200, json: { deleted: 0 } })
      })
    )

    for (const body of [
      "{}",
      '{"app":""}',
      '{"instance":""}',
      '{"service":""}',
      '{"port":0}',
      '{"app":"","instance":"","service":"","port":0}'
    ]) {
      it.effect(`${body}: 400 at least one filter is required, and nothing is released`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const kept = yield* allocate(port, { app: `survivor ${body}` })
          expectError(yield* call(port, "DELETE", path, body), 400, "at least one filter is required")
          expect(yield* listed(port, `survivor ${body}`)).toEqual([kept])
        })
      )
    }

    for (const [title, field, rest] of [
      ["an unknown field", "ap", '"ap":"survivor"'],
      ["an unknown field beside a filter", "instanse", '"app":"survivor","instanse":"dev"'],
      ["id, which is no filter", "id", '"id":1'],
      ["__proto__", "__proto__", '"app":"survivor","__proto__":{}'],
      ["a port in quotes", "port", '"app":"survivor","port":"80"'],
      ["a port out of range", "port", '"app":"survivor","port":65536'],
      ["a null port", "port", '"app":"survivor","port":null'],
      ["a name that is no text", "app", '"app":5'],
      ["a name that is null", "instance", '"app":"survivor","instance":null']
    ] as const) {
      it.effect(`${title}: 400 that names it, and nothing is released`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const kept = yield* allocate(port, { app: "survivor", service: title })
          expectError(yield* call(port, "DELETE", path, `{${rest}}`), 400, new RegExp(field))
          expect((yield* call(port, "GET", `${path}?service=${encodeURIComponent(title)}`)).json).toEqual([kept])
        })
      )
    }

    it.effect("a query is not a filter for it: the body is required", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const kept = yield* allocate(port, { app: "by-query" })
        expectError(yield* call(port, "DELETE", `${path}?app=by-query`), 400, "invalid JSON")
        expect(yield* listed(port, "by-query")).toEqual([kept])
      })
    )
  })
})
