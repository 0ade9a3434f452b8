import { describe, expect, it } from "@effect/vitest"
import { Allocation } from "@port-server/domain/Allocation"
import { readPages } from "@port-server/domain/api/AllocationPages"
import { largestPage } from "@port-server/domain/LargestPage"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const allocation = (id: number, port: number) =>
  Schema.decodeSync(Allocation)({ id, app: `a${id}`, instance: "b", service: "c", port, created_at: "" })

const full = (from: number) => Array.from({ length: largestPage }, (_, index) => allocation(from + index, from + index))

describe("readPages", () => {
  it.effect("has a port once that was allocated again between two pages, with its newer owner", () =>
    Effect.gen(function* () {
      const pages = [full(1), [allocation(900, 7), allocation(901, 3000)]]
      const asked: Array<number | undefined> = []
      const all = yield* readPages((after) => {
        asked.push(after)
        return Effect.succeed(pages.shift() ?? [])
      }, "endless")
      expect(asked).toEqual([undefined, largestPage])
      expect(all).toHaveLength(largestPage + 1)
      expect(all.filter(({ port }) => port === 7).map(({ id }) => id)).toEqual([900])
      expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).sort((one, other) => one - other))
    })
  )

  const endless: ReadonlyArray<readonly [name: string, page: (after: number) => ReadonlyArray<Allocation>]> = [
    ["that repeat", () => full(1)],
    ["of ever new ids for one port", (after) => full(after + 1).map(({ id }) => allocation(id, 1))]
  ]
  for (const [name, page] of endless) {
    it.effect(`fails on pages without an end: ${name}`, () =>
      Effect.gen(function* () {
        expect(yield* Effect.flip(readPages((after = 0) => Effect.succeed(page(after)), "endless"))).toBe("endless")
      })
    )
  }
})
