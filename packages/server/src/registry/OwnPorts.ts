import { portsFrom } from "@port-server/domain/Block"
import type { ServiceRequest } from "@port-server/domain/Ensure"
import * as Effect from "effect/Effect"
import { Listeners } from "../listeners/Listeners.ts"
import { AllocationRepository } from "../storage/AllocationRepository.ts"
import { owners } from "../storage/BulkWrites.ts"
import { PortAllocator, type PortPicker } from "./PortAllocator.ts"
import { SocketProjects } from "./SocketProjects.ts"

export type { PortPicker }

/** Picks ports for a project: a preferred one that only the project's own processes and containers hold is available to it. */
export class OwnPorts extends Effect.Service<OwnPorts>()("@port-server/server/registry/OwnPorts", {
  effect: Effect.gen(function* () {
    const allocator = yield* PortAllocator
    const store = yield* AllocationRepository
    const listeners = yield* Listeners
    const sockets = yield* SocketProjects

    return {
      /** What is to be done before the write transaction begins that gives ports to the services of a folder's project. */
      picker: Effect.fnUntraced(function* (folder: string | undefined, services: ReadonlyArray<ServiceRequest>) {
        const picker: PortPicker = yield* allocator.picker
        if (folder === undefined) return picker
        const preferred = services.flatMap(({ prefer, ...block }) => (prefer ? portsFrom(prefer, block) : []))
        // A bind of an allocated port, which nobody else gets, could make its owner's server fail that starts just then.
        const held = yield* store.read((reader) => owners(reader, preferred))
        const busy = yield* Effect.filter(preferred, (port) =>
          held.has(port) ? Effect.succeed(false) : Effect.negate(picker.isAvailable(port))
        )
        if (busy.length === 0) return picker
        const found = yield* sockets.judge(yield* listeners.holding(busy), folder)
        const own = new Set(
          found.flatMap(({ listeners, port, reserved }) => {
            const holders = [...listeners, ...(reserved === undefined ? [] : [reserved])]
            return holders.length > 0 && holders.every(({ belongs }) => belongs === "yes") ? [port] : []
          })
        )
        const result: PortPicker = {
          ...picker,
          isAvailable: (port) => (own.has(port) ? Effect.succeed(true) : picker.isAvailable(port))
        }
        return result
      })
    } as const
  })
}) {}
