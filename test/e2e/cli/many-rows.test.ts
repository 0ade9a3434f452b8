import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { portctl, startServer } from "../../support/Programs.ts"
import { fill } from "../../support/Rows.ts"

const rows = 60_000
const listOf = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ id: Schema.Int, path: Schema.String })))
const backupOf = Schema.decodeUnknownSync(
  Schema.Struct({ allocations: Schema.Array(Schema.Struct({ id: Schema.Int })) })
)

describe("a registry of 60,000 allocations with folders", () => {
  it.scopedLive(
    "is listed and exported whole, by id",
    () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        yield* fill(server.database, rows)
        const ids = Array.from({ length: rows }, (_, index) => index + 1)
        const listed = yield* portctl(["list", "--json"], { server })
        expect(listed).toMatchObject({ code: 0, stderr: "" })
        // More than one response may hold.
        expect(listed.stdout.length).toBeGreaterThan(16 * 1024 * 1024)
        expect(listOf(JSON.parse(listed.stdout)).map(({ id }) => id)).toEqual(ids)
        const exported = yield* portctl(["export"], { server })
        expect(exported).toMatchObject({ code: 0, stderr: "" })
        expect(backupOf(JSON.parse(exported.stdout)).allocations.map(({ id }) => id)).toEqual(ids)
        const table = yield* portctl(["list"], { server })
        expect(table.stdout.trimEnd().split("\n")).toHaveLength(rows + 1)
      }),
    120_000
  )
})
