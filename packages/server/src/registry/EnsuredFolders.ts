import type { StorageError } from "@port-server/domain/Errors"
import * as Cache from "effect/Cache"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { FolderProbe } from "../folders/FolderProbe.ts"
import { AllocationRepository } from "../storage/AllocationRepository.ts"

/** How long what is remembered about a folder is used: a disk that is mounted again can have another device. */
const deviceLifetime = "10 minutes"

/** How long a look that failed is not done again: a disk that hung may be there soon. */
const failureLifetime = "1 second"

/** Folders that are known to have a current device. */
const capacity = 4096

/** How long an ensure waits for what is remembered: a move right after it then finds the folder as it is. */
const patience = "1 second"

/** A folder, and what differs when it is made again at its path. */
class Place extends Data.Class<{
  readonly path: string
  /** The git directory of who asks from there; outside git, the folder. */
  readonly home: string
  readonly identity: string | undefined
}> {}

/** Which folders ensure: for a prune that runs at the same time, and to remember the devices that they are on. */
export class EnsuredFolders extends Effect.Service<EnsuredFolders>()("@port-server/server/registry/EnsuredFolders", {
  scoped: Effect.gen(function* () {
    const { probe } = yield* FolderProbe
    const store = yield* AllocationRepository
    const scope = yield* Effect.scope
    const watchers = new Set<Set<string>>()

    const devices = yield* Cache.makeWith({
      capacity,
      timeToLive: (exit) => (Exit.isSuccess(exit) ? deviceLifetime : failureLifetime),
      /** Whether the folder is absent. */
      lookup: ({ home, path }: Place) =>
        Effect.flatMap(probe([path]), (states): Effect.Effect<boolean, StorageError | "unknown"> => {
          const state = states.get(path)
          if (state?._tag === "Absent") return Effect.succeed(true)
          return state?._tag === "Present"
            ? Effect.as(store.rememberFolder({ path, home, device: state.device, file: state.id }), false)
            : Effect.fail("unknown")
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

      /**
       * Remember which devices a folder and its git directory are on, and which ones they are. A failure is left to a later
       * call, and what takes long goes on in the background. Returns whether it is known that the folder is absent.
       *
       * @param identity what differs when one of them is made again at its path; without it nobody waits
       */
      refresh: Effect.fnUntraced(function* (folder: string, home = folder, identity?: string) {
        const looks = [...new Set([folder, home])].map((path) =>
          Effect.orElseSucceed(devices.get(new Place({ path, home, identity })), () => false)
        )
        const looking = yield* Effect.forkIn(Effect.all(looks), scope)
        if (identity === undefined) return false
        const found = yield* Effect.timeoutOption(Fiber.await(looking), patience)
        return Option.exists(found, (exit) => Exit.isSuccess(exit) && exit.value[0] === true)
      })
    } as const
  })
}) {}
