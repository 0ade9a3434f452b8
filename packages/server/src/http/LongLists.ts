import type { ListFilter } from "@port-server/domain/AllocationFilter"
import type { StorageError } from "@port-server/domain/Errors"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Registry } from "../registry/Registry.ts"
import * as JsonSlices from "./JsonSlices.ts"
import { LargeRequests, tooBusy } from "./LargeRequests.ts"
import * as LongBody from "./LongBody.ts"
import { PendingBytes } from "./PendingBytes.ts"

/** A long list, for all who asked for it before it was read. */
interface SharedList {
  readonly parts: Deferred.Deferred<LongBody.Parts, StorageError>
  users: number
  /** Bytes that wait for the users. */
  size: number
}

/**
 * Lists of more allocations than one page. They are read and encoded one after the other; requests for the same
 * list that wait for it share the next reading and its bytes, which begins after the last of them came.
 */
export class LongLists extends Effect.Service<LongLists>()("@port-server/server/http/LongLists", {
  effect: Effect.gen(function* () {
    const registry = yield* Registry
    const largeRequests = yield* LargeRequests
    const { unsent } = yield* PendingBytes
    const waiting = new Map<string, SharedList>()

    const read = (key: string, filter: ListFilter, list: SharedList) =>
      Effect.suspend(() => {
        waiting.delete(key)
        return list.users === 0
          ? tooBusy
          : Effect.flatMap(registry.list(filter), (pages) => JsonSlices.encodeAllocations(pages))
      }).pipe(
        Effect.tap((parts) =>
          Effect.sync(() => {
            if (list.users === 0) return
            list.size = LongBody.lengthOf(parts)
            unsent.add(list.size)
          })
        ),
        (work) => largeRequests.take("list", work),
        Effect.ensuring(Effect.sync(() => waiting.get(key) === list && waiting.delete(key))),
        Effect.intoDeferred(list.parts),
        // For all of its users, and so a child of none of them.
        Effect.forkDaemon
      )

    const join = (filter: ListFilter) =>
      Effect.gen(function* () {
        const key = JSON.stringify(filter)
        const known = waiting.get(key)
        const parts = yield* Deferred.make<LongBody.Parts, StorageError>()
        const list: SharedList = known ?? { parts, users: 0, size: 0 }
        list.users++
        if (known === undefined) {
          waiting.set(key, list)
          yield* read(key, filter, list)
        }
        return list
      })

    const leave = (list: SharedList) =>
      Effect.sync(() => {
        list.users--
        if (list.users === 0) unsent.remove(list.size)
      })

    return {
      /** The JSON of all allocations that match, to be written until the scope is closed. */
      get: (filter: ListFilter) =>
        Effect.acquireRelease(join(filter), leave).pipe(Effect.flatMap(({ parts }) => Deferred.await(parts)))
    } as const
  })
}) {}
