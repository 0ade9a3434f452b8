import * as Cache from "effect/Cache"
import * as Effect from "effect/Effect"
import { FolderProbe } from "../folders/FolderProbe.ts"
import { AllocationRepository } from "../storage/AllocationRepository.ts"

/** How long what is remembered of a folder counts as current: a disk that is mounted again can have another device. */
const deviceLifetime = "10 minutes"

/** Folders that are known to have a current device. */
const capacity = 4096

/** Which folders ensure: for a prune that runs at the same time, and to remember the devices that they are on. */
export class EnsuredFolders extends Effect.Service<EnsuredFolders>()("@port-server/server/registry/EnsuredFolders", {
  scoped: Effect.gen(function* () {
    const { probe } = yield* FolderProbe
    const store = yield* AllocationRepository
    const scope = yield* Effect.scope
    const watchers = new Set<Set<string>>()

    const devices = yield* Cache.make({
      capacity,
      timeToLive: deviceLifetime,
      lookup: (path: string) =>
        Effect.flatMap(probe([path]), (states) => {
          const state = states.get(path)
          return state?._tag === "Present" ? store.rememberFolder(path, state.device, state.id) : Effect.void
        })
    })

    return {
      /** A folder has ensured, inside the write: a prune that was going to release its ports does not. */
      note: (path: string) =>
        Effect.sync(() => {
          for (const watcher of watchers) watcher.add(path)
        }),

      /** The folders that ensure from now on, for as long as the scope is open. */
      watch: Effect.acquireRelease(
        Effect.sync(() => {
          const watcher = new Set<string>()
          watchers.add(watcher)
          return watcher
        }),
        (watcher) => Effect.sync(() => watchers.delete(watcher))
      ),

      /** Remember in the background which device a folder is on, and which one it is. A failure is left to a later call. */
      refresh: (path: string) => Effect.forkIn(Effect.ignore(devices.get(path)), scope)
    } as const
  }),
  dependencies: [AllocationRepository.Default, FolderProbe.Default]
}) {}
