import { Allocation } from "@port-server/domain/Allocation"
import { namesOf } from "@port-server/domain/Block"
import type { EnsureRequest, EnsureResult, ServiceRequest } from "@port-server/domain/Ensure"
import {
  InstanceTaken,
  type InvalidRequest,
  type ListenersUnavailable,
  type PortTaken,
  type RangeExhausted,
  type StorageError,
  type StorageUnavailable
} from "@port-server/domain/Errors"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import { FolderProbe } from "../folders/FolderProbe.ts"
import { AllocationRepository } from "../storage/AllocationRepository.ts"
import type { TransactionOps } from "../storage/TransactionOps.ts"
import { EnsuredFolders } from "./EnsuredFolders.ts"
import { type Folders, folderOf, isLost } from "./FolderStatus.ts"
import { ownerByCopies, ownerByPorts } from "./InstanceNames.ts"
import { OwnPorts, type PortPicker } from "./OwnPorts.ts"
import { type Placement, place } from "./Placements.ts"
import { ProbedFolders } from "./ProbedFolders.ts"
import {
  allocationsOf,
  choose,
  current,
  deciding,
  imagined,
  isComplete,
  isLarge,
  readCandidates,
  servicesOf
} from "./ServicePorts.ts"

/** The transaction turned out to need something more. Nothing is written; that is fetched, and it is tried again. */
class NotReady extends Data.TaggedClass("NotReady")<{
  readonly folders: Iterable<string>
  readonly needsListeners: boolean
}> {}

/** What was found out before the transaction. */
interface Known {
  readonly probed: ProbedFolders
  readonly picker: PortPicker | undefined
}

/** The allocations as they are once their folders are moved. */
const moved = (held: ReadonlyArray<Allocation>, moves: ReadonlyMap<string, string>) =>
  moves.size === 0
    ? held
    : held.map((allocation) => {
        const path = moves.get(allocation.path ?? "")
        return path === undefined ? allocation : new Allocation({ ...allocation, path })
      })

/** Waits until a transaction may begin. */
export type InTurn = <A, E>(write: Effect.Effect<A, E>) => Effect.Effect<A, E | StorageUnavailable>

/** Write what is remembered of a working copy. */
const remember = Effect.fnUntraced(function* (write: TransactionOps, copy: Placement, isAsked: boolean) {
  const { workingCopies } = write
  for (const { from, row } of copy.changed) {
    yield* workingCopies.update(row)
    // Those of rows that are still there wait for them.
    if (from !== row.folder) {
      yield* write.moveAllocations(from, row.folder, row.folder === copy.folder ? (copy.device ?? null) : null)
    }
  }
  if (!isAsked) return
  if (copy.obsolete.length > 0) yield* workingCopies.remove(copy.obsolete)
  if (copy.added !== undefined) yield* workingCopies.insert(copy.added)
})

/**
 * The rules for what belongs to a project's folder. All methods can also fail with a `StorageError`, and with
 * `ListenersUnavailable` when it cannot be read what listens: then nothing is allocated.
 */
export class Projects extends Effect.Service<Projects>()("@port-server/server/registry/Projects", {
  effect: Effect.gen(function* () {
    const store = yield* AllocationRepository
    const allocator = yield* OwnPorts
    const ensured = yield* EnsuredFolders
    const { probe } = yield* FolderProbe

    /** The work of an ensure inside the transaction. */
    const ensureWith = (request: EnsureRequest, { picker, probed }: Known) =>
      // Also where nothing is missing: a prune comes wholly before it or sees the folder that asks.
      store.write<
        EnsureResult | NotReady,
        InstanceTaken | InvalidRequest | ListenersUnavailable | PortTaken | RangeExhausted | StorageError
      >(
        Effect.fnUntraced(function* (write) {
          const { dry_run = false, share = false, working_copy } = request
          const copy = working_copy === undefined ? undefined : yield* place(write, request, working_copy, probed)
          const path = copy?.folder ?? request.path
          const owner = copy === undefined ? request : { app: copy.app, instance: copy.instance }
          const { app, instance } = owner
          // Without services nothing is given, and nothing changes hands.
          const isAsked = request.services.length > 0
          const services = isAsked ? request.services : yield* servicesOf(write, owner)
          const held = moved(yield* readCandidates(write, owner, services), copy?.moves ?? new Map())
          const ports = services.map((each) => current(held, each))
          const missing = ports.filter((each) => !isComplete(each))
          const wanted = isAsked ? deciding(path, held, ports) : []
          for (const each of wanted) probed.stateOf(each)
          const taken =
            path === undefined || copy !== undefined || share
              ? undefined
              : ((yield* ownerByPorts(write.instances, owner, path, probed)) ??
                ((yield* write.instances.hasFolder(owner, path))
                  ? undefined
                  : yield* ownerByCopies(write, owner, path, probed)))
          const needsListeners = missing.length > 0 && picker === undefined
          if (probed.missing.size > 0 || (needsListeners && taken === undefined)) {
            return new NotReady({ folders: [...probed.missing], needsListeners })
          }
          if (taken !== undefined) return yield* new InstanceTaken({ app, instance, folder: taken })
          if (path !== undefined && !dry_run) yield* ensured.note(path)

          const devices =
            wanted.length === 0 ? new Map<number, string>() : yield* write.devices(held.map(({ id }) => id))
          const folders: Folders = { states: probed.states, devices }
          const { chosen, ...unmet } =
            picker === undefined ? { chosen: new Map<ServiceRequest, number>() } : yield* choose(write, missing, picker)
          const state = probed.states.get(path ?? "")
          const isDeviceKnown = state?._tag === "Present" || (state?._tag === "Absent" && state.hasParent)
          const device = isDeviceKnown ? state.device : copy?.device
          if (copy !== undefined && !dry_run) yield* remember(write, copy, isAsked)
          const names = missing.flatMap(({ request }) => namesOf(request.service, request))
          const before = names.length === 0 ? [] : yield* write.instances.ofServices(owner, names)
          const allocations: Array<Allocation> = []
          let took_over: string | undefined
          for (const { name, port, present } of ports.flatMap((each) => allocationsOf(held, each, chosen))) {
            const placed = path === undefined ? { app, instance } : { app, instance, path, device }
            const given =
              present ??
              (dry_run ? yield* imagined(owner, name, port) : yield* write.insert({ ...placed, service: name }, port))
            if (given === undefined) return yield* Effect.dieMessage(`port ${port} was free and cannot be inserted`)
            const isTakenOver =
              isAsked && given.path !== undefined && given.path !== path && isLost(folderOf(given, folders))
            if (isTakenOver) took_over ??= given.path
            const isAdopted = isAsked && !dry_run && path !== undefined && (given.path === undefined || isTakenOver)
            allocations.push(isAdopted ? yield* write.setProjectPath(given, path, device) : given)
          }
          const named = new Set(services.flatMap((each) => (each.named === true ? namesOf(each.service, each) : [])))
          const ofFile = allocations.filter(({ path, service }) => path !== undefined && named.has(service))
          if (ofFile.length > 0 && !dry_run) yield* write.setNamed(ofFile.map(({ id }) => id))
          const ids = new Set(allocations.map(({ id }) => id))
          const also_held = before.filter(({ id }) => !ids.has(id))
          const { instance_before, instead_of, moved_from } = copy?.notes ?? {}
          return {
            app,
            instance,
            allocations,
            ...(took_over === undefined ? {} : { took_over }),
            ...(moved_from === undefined ? {} : { moved_from }),
            ...(instance_before === undefined ? {} : { instance_before }),
            ...(instead_of === undefined || !isAsked ? {} : { instead_of }),
            ...unmet,
            ...(also_held.length === 0 ? {} : { also_held })
          }
        }),
        isLarge(request)
      )

    return {
      /**
       * The ports of a project's services, as asked: those that they have, and new ones where they have none; all of them
       * or none. A working copy has the instance that is remembered for it, and gets one of its own where the one wished
       * for belongs to another folder. Without a working copy app and instance are exact: fails with `InstanceTaken` when
       * the instance belongs to another folder and is not to be shared. Also with `PortTaken` when a requested port has another
       * holder, and with `RangeExhausted` when too few are left. With `dry_run`, nothing is changed.
       *
       * @param inTurn holds each transaction back until its turn comes, but not the probing of folders in between
       */
      ensure: Effect.fnUntraced(function* (request: EnsureRequest, inTurn: InTurn = identity) {
        const { working_copy, path: folder = working_copy?.folder } = request
        // The transaction finds out what is needed.
        let states: ProbedFolders["states"] = new Map()
        let picker: PortPicker | undefined
        for (;;) {
          const result = yield* inTurn(ensureWith(request, { probed: new ProbedFolders(states), picker }))
          if (!(result instanceof NotReady)) {
            if (request.dry_run === true || folder === undefined) return result
            const isAbsent = yield* ensured.refresh(folder, working_copy?.git_dir, working_copy?.identity)
            return isAbsent ? { ...result, unseen: true } : result
          }
          states = new Map([...states, ...(yield* probe(result.folders))])
          if (result.needsListeners) picker = yield* allocator.picker(folder, request.services)
        }
      })
    } as const
  })
}) {}
