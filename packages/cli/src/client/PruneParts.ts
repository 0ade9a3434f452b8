import type { PortServerClient } from "@port-server/domain/api/PortServerClient"
import type { PruneRequest } from "@port-server/domain/Prune"
import * as Chunk from "effect/Chunk"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Most allocations of one request: their folders are probed well before the request times out. */
const partSize = 2_000

/** Says what was released before a later request of the same command failed. */
export const notingReleased =
  (count: number) =>
  <A, E, R>(request: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.tapError(request, () =>
      count === 0 ? Effect.void : Console.error(`note: ${count} port(s) were released before this failed`)
    )

/**
 * A prune of the allocations with these ids, however many, in several requests where they are many.
 *
 * @param begin called with how many there are; what it returns is called with how many are done
 */
export const pruneInParts = Effect.fnUntraced(function* (
  client: PortServerClient,
  { dry_run, ids }: Required<PruneRequest>,
  begin: (total: number) => Effect.Effect<(done: number) => Effect.Effect<void>, never, Scope.Scope>
) {
  const onPart = yield* begin(ids.length)
  if (ids.length <= partSize) return yield* client.prune({ dry_run, ids })
  let done = 0
  let released = 0
  const results = yield* Effect.forEach(Chunk.chunksOf(Chunk.fromIterable(ids), partSize), (part) =>
    client.prune({ dry_run, ids: Chunk.toReadonlyArray(part) }).pipe(
      notingReleased(released),
      Effect.tap(({ allocations }) => {
        if (!dry_run) released += allocations.length
        done += part.length
        return onPart(done)
      })
    )
  )
  const kept = results.flatMap(({ kept = [] }) => kept)
  return { allocations: results.flatMap(({ allocations }) => allocations), ...(kept.length === 0 ? {} : { kept }) }
}, Effect.scoped)
