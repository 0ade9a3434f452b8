import * as Effect from "effect/Effect"

/** Which folders ensure, for a prune that runs at the same time. */
export class EnsuredFolders extends Effect.Service<EnsuredFolders>()("@port-server/server/registry/EnsuredFolders", {
  sync: () => {
    const watchers = new Set<Set<string>>()

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
      )
    } as const
  }
}) {}
