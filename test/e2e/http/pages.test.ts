import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, expectError, Server, sharedServer } from "../../support/Api.ts"
import { startServer } from "../../support/Programs.ts"
import { execute } from "../../support/Sqlite.ts"
import { call } from "../../support/Wire.ts"

const get = (port: number, query: string) => call(port, "GET", `/v1/allocations${query}`)

sharedServer()("a page of GET /v1/allocations", (it) => {
  it.effect("has the first allocations after an id that match the filters", () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      const own: Array<unknown> = []
      for (const service of ["a", "b", "c", "d"]) {
        own.push(yield* allocate(port, { app: "paged", service }))
        yield* allocate(port, { app: "other", service })
      }
      const ids = (yield* get(port, "?app=paged")).json
      expect(ids).toEqual(own)
      const first = yield* get(port, "?app=paged&limit=2")
      expect(first).toMatchObject({ status: 200, json: own.slice(0, 2) })
      const after = (index: number) => String(Reflect.get(Object(own[index]), "id"))
      expect((yield* get(port, `?app=paged&limit=2&after=${after(1)}`)).json).toEqual(own.slice(2))
      expect((yield* get(port, `?app=paged&after=${after(0)}`)).json).toEqual(own.slice(1))
      expect((yield* get(port, `?app=paged&limit=2&after=${after(3)}`)).json).toEqual([])
      expect((yield* get(port, "?app=paged&after=-1&limit=500")).json).toEqual(own)
    })
  )

  for (const limit of ["0", "501", "-1", "1.5", "x", "", "05"]) {
    it.effect(`refuses the limit ${JSON.stringify(limit)}`, () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expectError(yield* get(port, `?limit=${limit}`), 400, "limit must be an integer from 1 to 500")
      })
    )
  }

  for (const after of ["x", "1.5", "9007199254740993", "", "-0"]) {
    it.effect(`refuses ${JSON.stringify(after)} as the id to go on after`, () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expectError(yield* get(port, `?after=${after}`), 400, "after must be the id of an allocation")
      })
    )
  }

  it.scoped("of ids that another program gave, also negative ones, misses none", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* execute(
        server.database,
        `INSERT INTO allocations (id, app, instance, service, port) VALUES
          (-5, 'a', 'b', 'c', 1), (0, 'a', 'b', 'c', 2), (9007199254740991, 'a', 'b', 'c', 3)`
      )
      expect((yield* get(server.port, "?limit=1")).json).toMatchObject([{ id: -5 }])
      expect((yield* get(server.port, "?limit=1&after=-5")).json).toMatchObject([{ id: 0 }])
      expect((yield* get(server.port, "?after=0")).json).toMatchObject([{ port: 3 }])
    })
  )

  it.scoped("is full although rows that cannot be read are left out of it", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* execute(
        server.database,
        `INSERT INTO allocations (app, instance, service, port) VALUES
          ('a', 'b', 'c', 1), ('a', 'b', 'c', 'text'), (x'00ff', 'b', 'c', 2), ('a', 'b', 'c', 3), ('a', 'b', 'c', 4)`
      )
      expect((yield* get(server.port, "?limit=2")).json).toMatchObject([{ port: 1 }, { port: 3 }])
      expect((yield* get(server.port, "?limit=2&after=4")).json).toMatchObject([{ port: 4 }])
    })
  )
})
