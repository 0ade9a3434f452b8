import type { Allocation } from "@port-server/domain/Allocation"
import { largestEventPage, RegistryEvent } from "@port-server/domain/Event"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { answered, valueIn } from "./Api.ts"

const page = (port: number, query: string) =>
  Effect.map(answered(port, "GET", `/v1/events?${query}`), (answer) => valueIn(answer, Schema.Array(RegistryEvent)))

/** The id of the newest event; 0 where there is none. */
export const newestEvent = (port: number) => Effect.map(page(port, "limit=1"), ([event]) => event?.id ?? 0)

/**
 * The allocations that the events after a position leave, by id.
 *
 * @param before those that there were at the position
 */
export const replayed = (
  port: number,
  position: number,
  before: ReadonlyArray<Allocation> = []
): Effect.Effect<ReadonlyArray<Allocation>> =>
  Effect.gen(function* () {
    const held = new Map(before.map((allocation) => [allocation.id, allocation]))
    for (let after = position, length = largestEventPage; length === largestEventPage; ) {
      const events = yield* page(port, `after=${after}&limit=${largestEventPage}`)
      for (const { allocation, kind } of events) {
        if (kind === "released" || kind === "pruned") held.delete(allocation.id)
        else held.set(allocation.id, allocation)
      }
      after = events.at(-1)?.id ?? after
      length = events.length
    }
    return [...held.values()].sort((one, other) => one.id - other.id)
  })
