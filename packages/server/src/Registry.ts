import type { AllocationId, AllocationRequest, Selector } from "@port-server/domain/Allocation"
import type { ImportRequest } from "@port-server/domain/Backup"
import {
  AllocationNotFound,
  ImportConflict,
  InvalidRequest,
  PortTaken,
  RangeExhausted
} from "@port-server/domain/Errors"
import type { Port } from "@port-server/domain/Port"
import type { PortStatus } from "@port-server/domain/PortServerApi"
import * as Effect from "effect/Effect"
import { AllocationStore } from "./AllocationStore.ts"
import * as EventLoop from "./EventLoop.ts"
import { ServerConfig } from "./ServerConfig.ts"

/** The rules of the registry: who gets which port, and who has it. All methods can also fail with a `StorageError`. */
export class Registry extends Effect.Service<Registry>()("@port-server/server/Registry", {
  effect: Effect.gen(function* () {
    const store = yield* AllocationStore
    const { range } = yield* ServerConfig

    return {
      /**
       * Give a port to a service: the one asked for, or the first free one of the range. Fails with `PortTaken` when the
       * asked one has a holder, with `RangeExhausted` when no port of the range is free.
       */
      allocate: (request: AllocationRequest) =>
        store.write(
          Effect.fnUntraced(function* (write) {
            const port = request.port || (yield* write.freePort(range))
            if (port === undefined) return yield* RangeExhausted.of(range)
            const allocation = yield* write.insert(request, port)
            if (allocation !== undefined) return allocation
            const holder = yield* write.holder(port)
            return yield* holder === undefined
              ? Effect.dieMessage(`port ${port} has no holder and cannot be inserted`)
              : new PortTaken({ holder })
          })
        ),

      /** The allocations that equal every field of the selector, by id. */
      list: store.list,

      /** Whether a port is allocated, and to whom. */
      check: (port: Port) =>
        Effect.map(
          store.holder(port),
          (holder): PortStatus =>
            holder === undefined ? { port, available: true } : { port, available: false, holder }
        ),

      /** Release one allocation; fails with `AllocationNotFound` when there is none with the id. */
      release: (id: AllocationId) =>
        store.write((write) =>
          Effect.filterOrFail(
            write.remove(id),
            (removed) => removed > 0,
            () => new AllocationNotFound()
          )
        ),

      /**
       * Allocate everything in a backup that is not there yet, all of it or, when a port has another owner, nothing. Fails
       * with `ImportConflict`, or with `InvalidRequest` when the backup gives one port twice.
       */
      import: ({ allocations, dry_run = false }: ImportRequest) =>
        store.write(
          Effect.fnUntraced(function* (write) {
            const wanted = new Map(allocations.map((allocation) => [allocation.port, allocation]))
            const twice = allocations.find((allocation) => wanted.get(allocation.port) !== allocation)
            if (twice !== undefined) {
              return yield* new InvalidRequest({ message: `port ${twice.port} is in the backup twice` })
            }
            const held = new Map((yield* write.holders(wanted.keys())).map((holder) => [holder.port, holder]))
            const missing = allocations.filter(({ port }) => !held.has(port))
            const [first, ...others] = allocations.flatMap((allocation) => {
              const holder = held.get(allocation.port)
              return holder === undefined || holder.hasOwnerOf(allocation)
                ? []
                : [{ port: allocation.port, wanted: allocation, holder }]
            })
            if (first !== undefined) return yield* new ImportConflict({ conflicts: [first, ...others] })
            if (!dry_run) {
              yield* Effect.forEach(
                missing,
                (allocation, index) =>
                  Effect.zipRight(
                    index % 100 === 99 ? EventLoop.turn : Effect.void,
                    write.insert(allocation, allocation.port, allocation.created_at)
                  ),
                { discard: true }
              )
            }
            return { imported: missing.length, unchanged: allocations.length - missing.length }
          })
        ),

      /** Release everything that equals the selector; how many there were. */
      releaseMatching: (selector: Selector) => store.write<number, never>((write) => write.remove(selector))
    } as const
  }),
  dependencies: [AllocationStore.Default]
}) {}
