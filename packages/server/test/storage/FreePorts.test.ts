import { describe, expect, it } from "@effect/vitest"
import { badPorts, Port } from "@port-server/domain/Port"
import { PortRange } from "@port-server/domain/PortRange"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { firstFree } from "../../src/storage/FreePorts.ts"
import { PortBitSet } from "../../src/storage/PortBitSet.ts"

const toPort = Schema.decodeSync(Port)
const range = (first: number, last: number) => new PortRange({ first: toPort(first), last: toPort(last) })

/** What {@link firstFree} promises, with a plain set. */
const firstOf = (
  held: ReadonlySet<number>,
  { first, last }: PortRange,
  { align, size }: { readonly align: number; readonly size: number } = { align: 1, size: 1 }
): number | undefined => {
  const isFree = (port: number, taken: ReadonlySet<number>) => {
    for (let each = port; each < port + size; each++) if (each > last || taken.has(each)) return false
    return port % align === 0
  }
  const all = Array.from({ length: last - first + 1 }, (_, index) => first + index).filter((port) => isFree(port, held))
  return all.find((port) => isFree(port, badPorts)) ?? all[0]
}

const blocks = FastCheck.record({
  align: FastCheck.constantFrom(1, 2, 7, 10, 32),
  size: FastCheck.constantFrom(1, 2, 3, 8, 33)
})

// Where words end, where browsers refuse, and at both ends of all ports.
const interesting = FastCheck.oneof(
  FastCheck.integer({ min: 1, max: 130 }),
  FastCheck.integer({ min: 6655, max: 6700 }),
  FastCheck.integer({ min: 65_470, max: 65_535 })
)

const ranges = FastCheck.tuple(interesting, FastCheck.integer({ min: 0, max: 100 })).map(([first, length]) =>
  range(first, Math.min(65_535, first + length))
)

const operations = FastCheck.array(
  FastCheck.record({
    action: FastCheck.constantFrom("hold", "free", "take"),
    port: interesting,
    range: ranges,
    block: blocks
  }),
  { maxLength: 150 }
)

describe("the first free port", () => {
  it.prop(
    "agrees with a plain set after any operations",
    { initial: FastCheck.array(interesting), operations },
    ({ initial, operations }) => {
      const model = new Set(initial)
      const held = new PortBitSet(initial)
      for (const { action, block, port, range } of operations) {
        if (action === "hold") {
          held.add(port)
          model.add(port)
        } else if (action === "free") {
          held.delete(port)
          model.delete(port)
        } else {
          const taken = firstOf(model, range, block)
          expect(firstFree(range, [held], block)).toBe(taken)
          if (block.align === 1 && block.size === 1) expect(firstFree(range, [held])).toBe(taken)
          for (let index = 0; taken !== undefined && index < block.size; index++) {
            held.add(taken + index)
            model.add(taken + index)
          }
        }
      }
      const everything = range(1, 65_535)
      expect(firstFree(everything, [held])).toBe(firstOf(model, everything))
    },
    { fastCheck: { numRuns: 200 } }
  )

  it.prop("hands out every port of a range once, the browser-refused ones last", { range: ranges }, ({ range }) => {
    const held = new PortBitSet([])
    const given: Array<number> = []
    for (let port = firstFree(range, [held]); port !== undefined; port = firstFree(range, [held])) {
      held.add(port)
      given.push(port)
    }
    const all = Array.from({ length: range.last - range.first + 1 }, (_, index) => range.first + index)
    const refused = (port: number) => badPorts.has(port)
    expect(given).toEqual([...all.filter((port) => !refused(port)), ...all.filter(refused)])
  })

  it("has none in a range that is all held", () => {
    const all = Array.from({ length: 65_535 }, (_, index) => index + 1)
    expect(firstFree(range(1, 65_535), [new PortBitSet(all)])).toBeUndefined()
  })

  it("finds the last port of all", () => {
    const all = Array.from({ length: 65_534 }, (_, index) => index + 1)
    expect(firstFree(range(1, 65_535), [new PortBitSet(all)])).toBe(65_535)
  })

  for (const [first, last] of [
    [3031, 3032],
    [3032, 3032],
    [3040, 3071],
    [3039, 3072]
  ] as const) {
    it(`never leaves the range ${first}-${last}`, () => {
      const held = Array.from({ length: last - first + 1 }, (_, index) => first + index)
      expect(firstFree(range(first, last), [new PortBitSet(held)])).toBeUndefined()
      expect(firstFree(range(first, last), [new PortBitSet(held.slice(0, -1))])).toBe(last)
      expect(firstFree(range(first, last), [new PortBitSet(held.slice(1))])).toBe(first)
    })
  }

  it("takes a port that is held twice for held, and free after it was freed once", () => {
    const held = new PortBitSet([3000, 3000])
    held.add(3000)
    expect(firstFree(range(3000, 3001), [held])).toBe(3001)
    held.delete(3000)
    expect(firstFree(range(3000, 3001), [held])).toBe(3000)
  })

  for (const port of [-1, 0, 65_536, 70_000, 65_536 + 3000, 4_294_970_296, 2 ** 53]) {
    it(`a held ${port}, which an older program may have stored, hides no port`, () => {
      const held = new PortBitSet([port])
      expect(firstFree(range(1, 65_535), [held])).toBe(2)
      expect(firstFree(range(3000, 3000), [held])).toBe(3000)
      expect(firstFree(range(65_535, 65_535), [held])).toBe(65_535)
      held.delete(port)
      expect(firstFree(range(3000, 3000), [held])).toBe(3000)
    })
  }
})
