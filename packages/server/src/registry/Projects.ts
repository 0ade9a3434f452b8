import type { Allocation } from "@port-server/domain/Allocation"
import type { EnsureRequest, EnsureResult, ServiceRequest } from "@port-server/domain/Ensure"
import {
  type ListenersUnavailable,
  PortTaken,
  type RangeExhausted,
  type StorageError
} from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import { FolderProbe } from "../folders/FolderProbe.ts"
import { AllocationRepository, type TransactionOps } from "../storage/AllocationRepository.ts"
import { PortBitSet } from "../storage/PortBitSet.ts"
import { EnsuredFolders } from "./EnsuredFolders.ts"
import { folderOf, isLost } from "./FolderStatus.ts"
import { PortAllocator, type PortPicker } from "./PortAllocator.ts"

/**
 * The allocation that answers for a service: the one with the port asked for; otherwise the newest that was ensured for a
 * folder, and else the oldest, so that a port allocated beside it later on changes no answer.
 */
const current = (own: ReadonlyArray<Allocation>, { port, service }: ServiceRequest): Allocation | undefined => {
  const held = own.filter((allocation) => allocation.service === service)
  if (port) return held.find((allocation) => allocation.port === port)
  return held.findLast(({ path }) => path !== undefined) ?? held[0]
}

/** Choose a port for each of the services, before anything is written. */
const choose = Effect.fnUntraced(function* (
  write: TransactionOps,
  services: ReadonlyArray<ServiceRequest>,
  picker: PortPicker
) {
  const asked = services.flatMap(({ port }) => (port ? [port] : []))
  const [holder] = yield* write.holders(asked)
  if (holder !== undefined) return yield* new PortTaken({ holder })
  const preferred = yield* write.held(services.flatMap(({ prefer }) => (prefer ? [prefer] : [])))
  const taken = new PortBitSet([...asked, ...preferred])
  const chosen = new Map<ServiceRequest, number>()
  const take = (request: ServiceRequest, port: number) => {
    chosen.set(request, port)
    taken.add(port)
  }
  for (const request of services) {
    const { port, prefer } = request
    if (port) take(request, port)
    else if (prefer && !taken.has(prefer) && (yield* picker.isAvailable(prefer))) take(request, prefer)
  }
  for (const request of services) {
    if (!chosen.has(request)) take(request, yield* picker.nextFree(write, taken))
  }
  return chosen
})

/**
 * The rules for what belongs to a project's folder. All methods can also fail with a `StorageError`, and with
 * `ListenersUnavailable` when it cannot be read what listens: then nothing is allocated.
 */
export class Projects extends Effect.Service<Projects>()("@port-server/server/registry/Projects", {
  effect: Effect.gen(function* () {
    const store = yield* AllocationRepository
    const allocator = yield* PortAllocator
    const ensured = yield* EnsuredFolders
    const { probe } = yield* FolderProbe

    return {
      /**
       * The ports of a project's services, as asked: those that they have, and new ones where they have none; all of them
       * or none. Fails with `PortTaken` when an asked port has another holder, with `RangeExhausted` when too few are left.
       * A project folder is remembered until it is gone and another one asks.
       */
      ensure: Effect.fnUntraced(function* ({ app, instance, path, services }: EnsureRequest) {
        const owner = { app, instance }
        const known = (yield* store.list(owner)).flat()
        const others = new Set(known.flatMap((allocation) => allocation.path ?? []).filter((other) => other !== path))
        const isPlaced = services.every((request) => current(known, request)?.path !== undefined)
        const states = yield* probe(path === undefined ? [] : isPlaced ? others : [...others, path])
        const devices = yield* store.devices(known.map(({ id }) => id))
        const lost = new Set(
          known.flatMap((allocation) =>
            allocation.path !== path && isLost(folderOf(allocation, { states, devices })) ? allocation.id : []
          )
        )
        const state = states.get(path ?? "")
        const isDeviceKnown = state?._tag === "Present" || (state?._tag === "Absent" && state.hasParent)
        const device = isDeviceKnown ? state.device : undefined
        const lacking = (held: ReadonlyArray<Allocation>) =>
          services.filter((request) => current(held, request) === undefined)
        const look = lacking(known).length > 0 ? Effect.succeed(yield* allocator.snapshot) : allocator.snapshot
        const placed = path === undefined ? owner : { ...owner, path, device }

        // Also where nothing is missing: a prune comes wholly before it or sees the folder that asks.
        const result = yield* store.write<
          EnsureResult,
          ListenersUnavailable | PortTaken | RangeExhausted | StorageError
        >(
          Effect.fnUntraced(function* (write) {
            const held = yield* write.matching(owner)
            if (path !== undefined) yield* ensured.note(path)
            const missing = lacking(held)
            const chosen =
              missing.length > 0 ? yield* choose(write, missing, yield* look) : new Map<ServiceRequest, number>()
            const allocations: Array<Allocation> = []
            for (const request of services) {
              const port = chosen.get(request) ?? 0
              const found =
                current(held, request) ?? (yield* write.insert({ ...placed, service: request.service }, port))
              if (found === undefined) return yield* Effect.dieMessage(`port ${port} was free and cannot be inserted`)
              const isPlaced = path === undefined || (found.path !== undefined && !lost.has(found.id))
              allocations.push(isPlaced ? found : yield* write.setProjectPath(found, path, device))
            }
            return { ...owner, allocations }
          })
        )
        if (path !== undefined) yield* ensured.refresh(path)
        return result
      })
    } as const
  }),
  dependencies: [AllocationRepository.Default, EnsuredFolders.Default, FolderProbe.Default, PortAllocator.Default]
}) {}
