import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { startServer } from "../../support/Programs.ts"
import { fill } from "../../support/Rows.ts"
import { call } from "../../support/Wire.ts"

const patient = { timeout: 120_000 }

/** Resident memory of a process, in MiB. */
const memory = (pid: number) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

describe("a registry of 60,000 allocations", () => {
  it.scopedLive(
    "lists the listeners for many at once without reading the allocations of other ports",
    () =>
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
      }),
    patient
  )
})
