import * as Effect from "effect/Effect"
import type { Allocation } from "../Allocation.ts"
import { largestPage } from "../LargestPage.ts"

/** Twice as many as a machine has ports: a longer list is not that of a port-server. */
const mostAllocations = 2 * 65_536

/**
 * All pages of a list as one list, by id. A port that was released and allocated again between two pages is in it once,
 * with its newer owner. Fails with `endless` when the pages do not come to an end.
 */
export const readPages = <E, E2>(
  page: (after: number | undefined) => Effect.Effect<ReadonlyArray<Allocation>, E>,
  endless: E2
): Effect.Effect<ReadonlyArray<Allocation>, E | E2> =>
  Effect.gen(function* () {
    const first = yield* page(undefined)
    if (first.length < largestPage) return first
    const byPort = new Map(first.map((allocation) => [allocation.port, allocation]))
    let last = first.at(-1)?.id ?? 0
    let total = first.length
    for (let length = first.length; length >= largestPage; ) {
      const next = yield* page(last)
      total += next.length
      if (next.some(({ id }) => id <= last) || total > mostAllocations) return yield* Effect.fail(endless)
      for (const allocation of next) {
        byPort.delete(allocation.port)
        byPort.set(allocation.port, allocation)
      }
      last = next.at(-1)?.id ?? last
      length = next.length
    }
    return [...byPort.values()]
  })
