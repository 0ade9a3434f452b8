import type { Allocation } from "@port-server/domain/Allocation"
import type { EnsureRequest, EnsureResult, ServiceRequest } from "@port-server/domain/Ensure"
import {
  InstanceTaken,
  type ListenersUnavailable,
  PortTaken,
  type RangeExhausted,
  type StorageError
} from "@port-server/domain/Errors"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { FolderProbe } from "../folders/FolderProbe.ts"
import type { FolderState } from "../folders/FolderState.ts"
import { AllocationRepository } from "../storage/AllocationRepository.ts"
import { PortBitSet } from "../storage/PortBitSet.ts"
import type { TransactionOps } from "../storage/TransactionOps.ts"
import { EnsuredFolders } from "./EnsuredFolders.ts"
import { type Folders, folderOf, isLost, otherOwner } from "./FolderStatus.ts"
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

/** The folders whose state decides what an ensure does: of the others that share the instance, and its own. */
const deciding = ({ path, services }: EnsureRequest, held: ReadonlyArray<Allocation>): ReadonlyArray<string> => {
  if (path === undefined) return []
  const others = [...new Set(held.flatMap((allocation) => allocation.path ?? []))].filter((other) => other !== path)
  const isPlaced = services.every((request) => current(held, request)?.path !== undefined)
  return others.length === 0 && isPlaced ? [] : [...others, path]
}

/** Folders that came to the instance after it was read: to be probed, outside the transaction, and nothing is written. */
class UnprobedFolders extends Data.TaggedClass("UnprobedFolders")<{ readonly paths: ReadonlyArray<string> }> {}

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

    /** The work of an ensure inside the transaction, with the folders as they were probed before it. */
    const ensureWith = Effect.fnUntraced(function* (
      request: EnsureRequest,
      known: ReadonlyArray<Allocation>,
      states: ReadonlyMap<string, FolderState>
    ) {
      const { app, instance, path, services, share = false } = request
      const owner = { app, instance }
      const lacking = (held: ReadonlyArray<Allocation>) => services.filter((each) => current(held, each) === undefined)
      const picker = lacking(known).length > 0 ? Effect.succeed(yield* allocator.picker) : allocator.picker
      const state = states.get(path ?? "")
      const isDeviceKnown = state?._tag === "Present" || (state?._tag === "Absent" && state.hasParent)
      const device = isDeviceKnown ? state.device : undefined

      // Also where nothing is missing: a prune comes wholly before it or sees the folder that asks.
      return yield* store.write<
        EnsureResult | UnprobedFolders,
        InstanceTaken | ListenersUnavailable | PortTaken | RangeExhausted | StorageError
      >(
        Effect.fnUntraced(function* (write) {
          const held = yield* write.matching(owner)
          const wanted = deciding(request, held)
          const paths = wanted.filter((each) => !states.has(each))
          if (paths.length > 0) return new UnprobedFolders({ paths })
          const devices =
            wanted.length === 0 ? new Map<number, string>() : yield* write.devices(held.map(({ id }) => id))
          const folders: Folders = { states, devices }
          if (path !== undefined) {
            const folder = share ? undefined : otherOwner(path, held, folders)
            if (folder !== undefined) return yield* new InstanceTaken({ ...owner, folder })
            yield* ensured.note(path)
          }
          const missing = lacking(held)
          const chosen =
            missing.length > 0 ? yield* choose(write, missing, yield* picker) : new Map<ServiceRequest, number>()
          const allocations: Array<Allocation> = []
          let took_over: string | undefined
          for (const each of services) {
            const port = chosen.get(each) ?? 0
            const placed = path === undefined ? owner : { ...owner, path, device }
            const found = current(held, each) ?? (yield* write.insert({ ...placed, service: each.service }, port))
            if (found === undefined) return yield* Effect.dieMessage(`port ${port} was free and cannot be inserted`)
            const isTakenOver = found.path !== undefined && found.path !== path && isLost(folderOf(found, folders))
            if (isTakenOver) took_over ??= found.path
            const isMoved = path !== undefined && (found.path === undefined || isTakenOver)
            allocations.push(isMoved ? yield* write.setProjectPath(found, path, device) : found)
          }
          const also_held = held.filter(({ service }) => missing.some((each) => each.service === service))
          return {
            ...owner,
            allocations,
            ...(took_over === undefined ? {} : { took_over }),
            ...(also_held.length === 0 ? {} : { also_held })
          }
        })
      )
    })

    return {
      /**
       * The ports of a project's services, as asked: those that they have, and new ones where they have none; all of them
       * or none. A project folder is remembered until it is gone and another one asks. Fails with `InstanceTaken` when the
       * instance belongs to another folder and is not to be shared, with `PortTaken` when an asked port has another holder,
       * with `RangeExhausted` when too few are left.
       */
      ensure: Effect.fnUntraced(function* (request: EnsureRequest) {
        const { app, instance, path } = request
        const known = (yield* store.list({ app, instance })).flat()
        let states = yield* probe(deciding(request, known))
        for (;;) {
          const result = yield* ensureWith(request, known, states)
          if (!(result instanceof UnprobedFolders)) {
            if (path !== undefined) yield* ensured.refresh(path)
            return result
          }
          states = new Map([...states, ...(yield* probe(result.paths))])
        }
      })
    } as const
  }),
  dependencies: [AllocationRepository.Default, PortAllocator.Default, EnsuredFolders.Default, FolderProbe.Default]
}) {}
