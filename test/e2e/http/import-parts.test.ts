import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, expectError, listed, Server, sharedServer } from "../../support/Api.ts"
import { startServer, temporaryFolder } from "../../support/Programs.ts"
import { openDatabase } from "../../support/Sqlite.ts"
import { call } from "../../support/Wire.ts"

const entry = (app: string, port: number) => ({ app, instance: "dev", service: "web", port })

const send = (port: number, allocations: ReadonlyArray<unknown>, transaction: unknown) =>
  call(port, "POST", "/v1/import", { version: 1, allocations, transaction })

const nothing = { status: 200, json: { imported: 0, unchanged: 0 } }

sharedServer()("an import in several requests", (it) => {
  it.effect("imports nothing before its last part has come, and then everything", () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      const id = "whole"
      expect(yield* send(port, [entry(id, 4000)], { id, part: 0, last: false })).toMatchObject(nothing)
      expect(yield* send(port, [entry(id, 4001)], { id, part: 1, last: false })).toMatchObject(nothing)
      // Sent again, it counts once.
      expect(yield* send(port, [entry(id, 4001)], { id, part: 1, last: false })).toMatchObject(nothing)
      expect(yield* listed(port, id)).toEqual([])
      const last = send(port, [entry(id, 4002)], { id, part: 2, last: true })
      expect((yield* last).json).toEqual({ imported: 3, unchanged: 0 })
      // The response may have been lost.
      expect((yield* last).json).toEqual({ imported: 3, unchanged: 0 })
      expect(yield* listed(port, id)).toMatchObject([{ port: 4000 }, { port: 4001 }, { port: 4002 }])
      // The same id once more is another import.
      yield* call(port, "DELETE", "/v1/allocations", { app: id })
      yield* send(port, [entry(id, 4000)], { id, part: 0, last: false })
      yield* send(port, [entry(id, 4001)], { id, part: 1, last: false })
      expect((yield* last).json).toEqual({ imported: 3, unchanged: 0 })
      expectError(
        yield* send(port, [], { id, part: 3, last: true }),
        400,
        "the earlier parts of this import are no longer there, import again"
      )
    })
  )

  it.effect("imports nothing when a port of any part has another owner", () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      const id = "conflict"
      yield* allocate(port, { app: "holder", port: 4100 })
      yield* send(port, [entry(id, 4100)], { id, part: 0, last: false })
      const answer = yield* send(port, [entry(id, 4101)], { id, part: 1, last: true })
      expect(answer).toMatchObject({
        status: 409,
        json: { conflicts: [{ port: 4100, wanted: { app: id }, holder: { app: "holder" } }] }
      })
      // Only where not all of them are listed.
      expect(answer.json).not.toHaveProperty("total")
      expect(yield* listed(port, id)).toEqual([])
    })
  )

  it.effect("refuses a port that is in two parts", () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      const id = "twice"
      yield* send(port, [entry(id, 4200)], { id, part: 0, last: false })
      expectError(
        yield* send(port, [entry(id, 4200)], { id, part: 1, last: true }),
        400,
        "port 4200 is in the backup twice"
      )
      expect(yield* listed(port, id)).toEqual([])
    })
  )

  it.effect("refuses a part whose predecessor is missing", () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      const id = "gap"
      yield* send(port, [entry(id, 4300)], { id, part: 0, last: false })
      expectError(yield* send(port, [], { id, part: 2, last: true }), 400, "part 1 of this import is missing")
    })
  )

  const wrong: ReadonlyArray<readonly [transaction: unknown, sentence: string]> = [
    [{ id: "", part: 0, last: true }, "transaction.id: transaction.id must be 1 to 64 letters, digits, - and _"],
    [{ id: "x", part: -1, last: true }, "transaction.part: transaction.part must be 0, 1, 2, ..."],
    [{ id: "x", part: 0, last: "yes" }, "transaction.last: transaction.last must be true or false"],
    [{ id: "x", part: 0 }, "transaction.last is missing"],
    [{ id: "x", part: 0, last: true, more: 1 }, 'transaction: unknown field "more"']
  ]
  for (const [transaction, sentence] of wrong) {
    it.effect(`refuses ${JSON.stringify(transaction)}`, () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expectError(yield* send(port, [], transaction), 400, sentence)
      })
    )
  }
})

sharedServer()("imports whose last part does not come", (it) => {
  const tooMany = "too many imports at a time, try again"

  it.effect("are at most 64", () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      for (let index = 0; index < 64; index++) {
        expect(yield* send(port, [], { id: `open-${index}`, part: 0, last: false })).toMatchObject(nothing)
      }
      const refused = yield* send(port, [], { id: "one-more", part: 0, last: false })
      expectError(refused, 503, tooMany)
      expect(refused.headers["retry-after"]).toBe("1")
      expect(yield* send(port, [], { id: "open-0", part: 1, last: true })).toMatchObject(nothing)
      expect(yield* send(port, [], { id: "one-more", part: 0, last: false })).toMatchObject(nothing)
    })
  )
})

sharedServer()("imports of many short allocations", (it) => {
  it.effect("count with what they take in memory", () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      const half = (part: number) => Array.from({ length: 30_000 }, (_, index) => entry("a", 1 + part * 30_000 + index))
      const parts = ["first", "second", "third"].flatMap((id) => [0, 1].map((part) => ({ id, part, last: false })))
      const answers = yield* Effect.forEach(parts, (transaction) => send(port, half(transaction.part), transaction))
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 503, 400])
    })
  )
})

it.scopedLive("takes the last part again where the database could not be written", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const { port } = yield* startServer({ folder })
    const id = "locked"
    yield* send(port, [entry(id, 4000)], { id, part: 0, last: false })
    const last = send(port, [entry(id, 4001)], { id, part: 1, last: true })
    const other = yield* Effect.flatMap(openDatabase(join(folder, "ports.db")), (sql) => sql.reserve)
    yield* other.executeRaw("BEGIN IMMEDIATE", [])
    expectError(yield* last, 503, "the database is locked by another program")
    yield* other.executeRaw("ROLLBACK", [])
    expect((yield* last).json).toEqual({ imported: 2, unchanged: 0 })
  })
)
