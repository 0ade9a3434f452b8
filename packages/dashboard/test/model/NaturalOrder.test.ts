import { describe, expect, it } from "@effect/vitest"
import { sortNaturally } from "../../src/model/NaturalOrder.ts"

const sorted = (...texts: ReadonlyArray<string>) => sortNaturally(texts, (text) => text)

describe("sortNaturally", () => {
  it.each([
    ["web-9", "web-10"],
    ["a", "B"],
    ["A", "b"],
    ["web", "web-1"],
    ["2", "10"],
    ["", "a"],
    ["9", "a"],
    ["web", "web1"],
    ["Web", "web"],
    ["v1.9", "v1.10"]
  ])("puts %s before %s", (one, other) => {
    expect(sorted(other, one)).toEqual([one, other])
    expect(sorted(one, other)).toEqual([one, other])
  })

  it("orders what has the same text by what comes next", () => {
    const items = [{ port: 2 }, { port: 1 }]
    expect(
      sortNaturally(
        items,
        () => "web",
        (one, other) => one.port - other.port
      )
    ).toEqual([{ port: 1 }, { port: 2 }])
  })
})
