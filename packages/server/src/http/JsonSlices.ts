import { Allocation } from "@port-server/domain/Allocation"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as EventLoop from "../runtime/EventLoop.ts"

/** Most items that are encoded at a time: a millisecond or two. */
const sliceSize = 500

/** `items` in slices. */
export const slicesOf = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / sliceSize) }, (_, index) =>
    items.slice(index * sliceSize, (index + 1) * sliceSize)
  )

/** Whether a list is short enough to be encoded in one piece. */
export const isShort = (items: ReadonlyArray<unknown>): boolean => items.length <= sliceSize

const allocationKeys = Object.keys(Allocation.fields)

/** The JSON of some allocations: what their schema makes of them, in a tenth of its time. */
const allocationsAsJson = (allocations: ReadonlyArray<Allocation>): string =>
  JSON.stringify(allocations, allocationKeys)

/** An encoder of long JSON arrays, between a text before and one after; other requests are served between two slices. */
const encoderBy = <A>(encode: (slice: ReadonlyArray<A>) => string) =>
  Effect.fnUntraced(function* (slices: ReadonlyArray<ReadonlyArray<A>>, before = "[", after = "]") {
    const parts: Array<Uint8Array> = []
    let separator = before
    for (const slice of slices.filter(({ length }) => length > 0)) {
      parts.push(Buffer.from(separator + encode(slice).slice(1, -1)))
      separator = ","
      yield* EventLoop.yieldToIO
    }
    parts.push(Buffer.from(parts.length === 0 ? before + after : after))
    return parts
  })

/** The encoder of what has a schema. */
export const encoder = <A, I>(item: Schema.Schema<A, I>) =>
  encoderBy(Schema.encodeSync(Schema.parseJson(Schema.Array(item))))

/** The encoder of allocations. */
export const encodeAllocations = encoderBy(allocationsAsJson)
