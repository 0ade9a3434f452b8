import type { AllocationId } from "@port-server/domain/Allocation"
import type { ReleaseFilter } from "@port-server/domain/AllocationFilter"
import type { AllocationRequest } from "@port-server/domain/AllocationRequest"
import type { PortStatus } from "@port-server/domain/api/Results"
import type { ImportRequest, ImportResult } from "@port-server/domain/Backup"
import type { Containers, ReservedPort } from "@port-server/domain/Containers"
import { version } from "@port-server/domain/Defaults"
import { AllocationNotFound, InvalidRequest, PortTaken, type StorageUnavailable } from "@port-server/domain/Errors"
import { ImportConflict } from "@port-server/domain/ImportConflict"
import type { ListenersQuery, ListeningPort } from "@port-server/domain/Listener"
import type { Port } from "@port-server/domain/Port"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import { timestampOf } from "@port-server/domain/Timestamp"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Listeners } from "../listeners/Listeners.ts"
import { userName } from "../runtime/UserName.ts"
import { ServerConfig } from "../ServerConfig.ts"
import { AllocationRepository } from "../storage/AllocationRepository.ts"
import type { StoredOwner } from "../storage/BulkWrites.ts"
import { PortAllocator } from "./PortAllocator.ts"
import { SocketProjects } from "./SocketProjects.ts"

type Owner = Pick<AllocationRequest, "app" | "instance" | "service">

const isForeign = (owner: StoredOwner | undefined, { app, instance, service }: Owner): boolean =>
  owner !== undefined && (owner.app !== app || owner.instance !== instance || owner.service !== service)

/** The rules of the registry: who gets which port, and who holds it. Every method can also fail with a `StorageError`. */
export class Registry extends Effect.Service<Registry>()("@port-server/server/registry/Registry", {
  effect: Effect.gen(function* () {
    const store = yield* AllocationRepository
    const allocator = yield* PortAllocator
    const { database, engine, log, probe, range } = yield* ServerConfig
    const listeners = yield* Listeners
    const sockets = yield* SocketProjects
    const started_at = timestampOf(yield* Clock.currentTimeMillis)

    const user = userName()

    /** Everything of a backup or, when some of it has another owner, nothing. */
    const tryImport = ({ allocations, dry_run = false }: ImportRequest) =>
      store.write<ImportResult & { readonly foreign: ImportRequest["allocations"] }, StorageUnavailable>(
        Effect.fnUntraced(function* (write) {
          const owners = yield* write.owners(allocations.map(({ port }) => port))
          const foreign = allocations.filter((allocation) => isForeign(owners.get(allocation.port), allocation))
          const missing = allocations.filter(({ port }) => !owners.has(port))
          if (foreign.length === 0 && !dry_run) yield* write.insertAll(missing)
          return { foreign, imported: missing.length, unchanged: allocations.length - missing.length }
        }),
        true
      )

    const importAll = Effect.fnUntraced(function* (request: ImportRequest) {
      const ports = new Map(request.allocations.map((allocation) => [allocation.port, allocation]))
      const twice = request.allocations.find((allocation) => ports.get(allocation.port) !== allocation)
      if (twice !== undefined)
        return yield* new InvalidRequest({ message: `port ${twice.port} is in the backup twice` })
      for (;;) {
        const { foreign, imported, unchanged } = yield* tryImport(request)
        if (foreign.length === 0) return { imported, unchanged }
        // Many holders are not read while other writes wait. Those released since then are no longer conflicts.
        const holders = new Map(
          (yield* store.holders(foreign.map(({ port }) => port))).map((each) => [each.port, each])
        )
        const [first, ...others] = foreign.flatMap((wanted) => {
          const holder = holders.get(wanted.port)
          return holder === undefined || !isForeign(holder, wanted) ? [] : [{ port: wanted.port, wanted, holder }]
        })
        if (first !== undefined) return yield* new ImportConflict({ conflicts: [first, ...others] })
      }
    })

    /** Add to each port its holder, where it has one that can be read. */
    const withHolders = Effect.fnUntraced(function* <Found extends { readonly port: number }>(
      found: ReadonlyArray<Found>
    ) {
      const held = yield* store.readableHolders(found.map(({ port }) => port))
      const holders = new Map(held.map((allocation) => [allocation.port, allocation]))
      return found.map((each): Found & Pick<ListeningPort, "holder"> => {
        const holder = holders.get(each.port)
        return holder === undefined ? each : { ...each, holder }
      })
    })

    return {
      /**
       * Allocate the requested port, or else the first free one of the range. Fails with `PortTaken` if the requested one
       * has a holder, `RangeExhausted` if none is free, `ListenersUnavailable` if it cannot be read which are.
       */
      allocate: Effect.fnUntraced(function* (request: AllocationRequest) {
        const picker = request.port ? undefined : yield* allocator.picker
        return yield* store.write(
          Effect.fnUntraced(function* (write) {
            const port = picker === undefined ? (request.port ?? 0) : yield* picker.nextFree(write)
            const allocation = yield* write.insert(request, port)
            if (allocation !== undefined) return allocation
            const holder = yield* write.holder(port)
            return yield* holder === undefined
              ? Effect.dieMessage(`port ${port} has no holder and cannot be inserted`)
              : new PortTaken({ holder })
          })
        )
      }),

      /** The allocations that match the filter, by id. */
      list: store.list,

      /** How many they are, up to a page; much less work than to read them. */
      countOnPage: store.countOnPage,

      /** One page of them: the first `limit` whose id is larger than `after`. */
      page: store.page,

      /** The list where it fits on one page; nothing where it does not. */
      listShort: store.listShort,

      /** Whether a port is allocated, and to whom; and who listens on it, or why that is unknown. */
      check: Effect.fnUntraced(function* (port: Port) {
        const held = yield* store.holder(port).pipe(
          Effect.map((holder) => (holder === undefined ? {} : { holder })),
          Effect.catchTag("UnreadableRow", ({ message }) => Effect.succeed({ holder_error: message }))
        )
        const available = Object.keys(held).length === 0
        const found = yield* listeners.at(port, available)
        const status: PortStatus = { port, available, ...held }
        const [judged = status] = yield* sockets.judge([{ ...status, ...found }])
        return judged
      }),

      /** The ports that sockets of this machine hold, and their holders; fails with `ListenersUnavailable`. */
      listeners: Effect.fnUntraced(function* ({ path, ports }: ListenersQuery) {
        const found = yield* ports === undefined ? listeners.all(store.ports) : listeners.on(ports)
        return yield* sockets.judge(yield* withHolders(found), path)
      }),

      /** The same for the allocated ports alone: of many connections, most are on others. */
      heldListeners: Effect.gen(function* () {
        const found = yield* withHolders(yield* listeners.all(store.ports))
        return yield* sockets.judge(found.filter(({ holder }) => holder !== undefined))
      }),

      /** The container engine of this machine, its containers, and whose those are that are stopped at allocated ports. */
      containers: Effect.gen(function* () {
        const { containers, engine, reserved } = yield* listeners.containers
        const stopped = yield* withHolders([...reserved].map(([port, reserving]) => ({ port, reserving }))).pipe(
          Effect.map((found) => found.filter(({ holder }) => holder !== undefined)),
          Effect.flatMap(sockets.judge),
          // The engine of a server whose database cannot be used can still be inspected.
          Effect.orElseSucceed(() => [])
        )
        const ports = stopped.flatMap(
          ({ port, reserved }): ReadonlyArray<ReservedPort> => (reserved === undefined ? [] : [{ port, ...reserved }])
        )
        const result: Containers = { engine, containers, ...(ports.length === 0 ? {} : { reserved: ports }) }
        return result
      }),

      /** Version, process and settings of this server. */
      server: Effect.map(
        // A server whose database cannot be used can still be inspected and stopped.
        Effect.option(store.count),
        (count): ServerInfo => ({
          version,
          pid: process.pid,
          user,
          started_at,
          database,
          range: range.toString(),
          probe,
          engine,
          ...(Option.isSome(log) ? { log: log.value } : {}),
          ...(Option.isSome(count) ? { allocations: count.value } : {})
        })
      ),

      /** Release one allocation; fails with `AllocationNotFound`. */
      release: (id: AllocationId) =>
        store.write((write) =>
          Effect.filterOrFail(
            write.remove(id),
            (removed) => removed > 0,
            () => new AllocationNotFound()
          )
        ),

      /**
       * Allocate everything in a backup that is missing, or nothing. Fails with `ImportConflict` if a port has another owner,
       * `InvalidRequest` if the backup has a port twice.
       */
      import: importAll,

      /** Release the allocations that match the filter, and the blocks that begin with them; returns how many there were. */
      releaseMatching: (filter: ReleaseFilter) => store.write<number, never>((write) => write.remove(filter))
    } as const
  })
}) {}
