import { readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { expectError } from "../../support/Api.ts"
import { startServer } from "../../support/Programs.ts"
import { fill } from "../../support/Rows.ts"
import { execute } from "../../support/Sqlite.ts"
import { call } from "../../support/Wire.ts"

/** Resident memory of a process, in MiB. */
const memory = (pid: number) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

describe("a registry of 60,000 allocations", () => {
  it.scopedLive("lists the listeners for many at once without reading the allocations of other ports", () =>
    Effect.gen(function* () {
      const { database, pid, port } = yield* startServer()
      yield* fill(database, 60_000)
      yield* call(port, "GET", "/v1/listeners")
      const before = memory(pid)
      const answers = yield* Effect.forEach(Array.from({ length: 60 }), () => call(port, "GET", "/v1/listeners"), {
        concurrency: "unbounded"
      })
      for (const { json, status } of answers) {
        expect(status).toBe(200)
        expect(json).toContainEqual(expect.objectContaining({ port, listener: expect.objectContaining({ pid }) }))
      }
      // Each would take some 30 MiB.
      expect(memory(pid)).toBeLessThan(before + 200)
    })
  )

  const own = { app: "app7", instance: "main" }

  /** All of the allocations in one instance, whose folder exists. */
  const oneInstance = (database: string) =>
    execute(database, "UPDATE allocations SET app = 'app7'", `UPDATE folders SET path = '${tmpdir()}'`)

  it.scopedLive("ensures for many at once without reading the other allocations of the instance", () =>
    Effect.gen(function* () {
      const { database, pid, port } = yield* startServer({ args: ["--range", "60001-65535"] })
      yield* fill(database, 60_000)
      yield* oneInstance(database)
      const ensure = (body: object) => call(port, "POST", "/v1/ensure", { ...own, ...body })
      yield* ensure({ path: tmpdir(), services: [{ service: "service1" }] })
      const before = memory(pid)
      const services = ["service1", "service30000", "service60000", "new"].map((service) => ({ service }))
      const answers = yield* Effect.forEach(
        Array.from({ length: 60 }, (_, index) =>
          index % 2 === 0 ? { path: tmpdir() } : { working_copy: { folder: tmpdir() } }
        ),
        (place) => ensure({ ...place, services }),
        { concurrency: "unbounded" }
      )
      for (const { json, status } of answers) {
        const ports = [1, 30_000, 60_000, 60_001]
        expect({ status, json }).toMatchObject({
          status: 200,
          json: { allocations: ports.map((port) => ({ port })) }
        })
      }
      // Each would take some 30 MiB.
      expect(memory(pid)).toBeLessThan(before + 200)
      expectError(
        yield* ensure({ working_copy: { folder: tmpdir() }, services: [] }),
        400,
        "app7/main has more than 256 services: name those that are wanted"
      )
    })
  )

  it.scopedLive("releases by a filter all at once, and responds to others meanwhile", () =>
    Effect.gen(function* () {
      const { database, port } = yield* startServer()
      yield* fill(database, 60_000)
      yield* oneInstance(database)
      yield* call(port, "POST", "/v1/allocations", { app: "other", instance: "main", service: "web", port: 65_000 })
      const release = yield* Effect.fork(call(port, "DELETE", "/v1/allocations", own))
      const counts: Array<unknown> = []
      while (Option.isNone(yield* Fiber.poll(release))) {
        counts.push((yield* call(port, "GET", "/v1/server")).json)
      }
      expect((yield* Fiber.join(release)).json).toEqual({ deleted: 60_000 })
      expect(counts.length).toBeGreaterThan(8)
      const seen = new Set(counts.map((server) => Object(server).allocations))
      expect([...seen].filter((count) => count !== 60_001 && count !== 1)).toEqual([])
      expect((yield* call(port, "GET", "/v1/allocations")).json).toMatchObject([{ app: "other" }])
    })
  )

  it.scopedLive("has all or none of what a filter releases when it is killed in between", () =>
    Effect.gen(function* () {
      const first = yield* startServer()
      yield* fill(first.database, 60_000)
      yield* oneInstance(first.database)
      yield* Effect.fork(Effect.ignore(call(first.port, "DELETE", "/v1/allocations", own)))
      for (let count = 0; count < 5; count++) yield* call(first.port, "GET", "/healthz")
      first.process.kill("SIGKILL")
      yield* first.ended
      const { port } = yield* startServer({ folder: first.home })
      expect((yield* call(port, "GET", "/v1/server")).json).toMatchObject({ allocations: 60_000 })
    })
  )
})
