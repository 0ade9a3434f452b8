import type { Allocation } from "@port-server/domain/Allocation"
import type { StorageError } from "@port-server/domain/Errors"
import type { Kept, KeptReason, PruneRequest, PruneResult } from "@port-server/domain/Prune"
import * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import { FolderProbe } from "../folders/FolderProbe.ts"
import { Listeners } from "../listeners/Listeners.ts"
import { AllocationRepository } from "../storage/AllocationRepository.ts"
import { sharing, type WorkingCopyRow } from "../storage/WorkingCopyRows.ts"
import { topOf } from "./Belonging.ts"
import { EnsuredFolders } from "./EnsuredFolders.ts"
import { isLost, statusOf } from "./FolderStatus.ts"
import { MovedWorktrees } from "./MovedWorktrees.ts"

/** Most allocations that are released in one transaction: other writes get their turn in between. */
const sliceSize = 250

/** An allocation with a project folder, and why it is kept; `stale` when nothing speaks for it. */
interface Candidate {
  readonly allocation: Allocation
  readonly verdict: KeptReason | "stale"
}

/**
 * The rule for what is stale. Can fail with a `StorageError`, and with `ListenersUnavailable` when it cannot be read what
 * listens: then nothing is released.
 */
export class Prune extends Effect.Service<Prune>()("@port-server/server/registry/Prune", {
  effect: Effect.gen(function* () {
    const store = yield* AllocationRepository
    const ensured = yield* EnsuredFolders
    const { probe } = yield* FolderProbe
    const listeners = yield* Listeners
    const worktrees = yield* MovedWorktrees

    /** Every allocation whose project folder is not known to be there. */
    const candidates = Effect.fnUntraced(function* (ids: ReadonlySet<number> | undefined) {
      const pages = (yield* store.list({})).map((page) =>
        page.filter(({ id, path }) => path !== undefined && (ids === undefined || ids.has(id)))
      )
      const states = yield* probe(pages.flatMap((page) => page.map(({ path = "" }) => path)))
      const absent = [...states].flatMap(([path, { _tag }]) => (_tag === "Absent" ? [path] : []))
      const moved = yield* worktrees.among(absent)
      const copies = yield* store.read((reader) => sharing(reader, absent))
      // Of a package, that of the working copy: a folder far below the top of one has no parent when that is removed.
      const tops = new Map(
        copies.flatMap(({ folder, project }) => {
          const top = topOf(folder, project)
          return top === undefined || top === folder || !states.has(folder) ? [] : [[folder, top] as const]
        })
      )
      const unknown = copies.flatMap(({ folder }) => (states.has(folder) ? [] : [folder]))
      const others = yield* probe([...tops.values(), ...unknown])
      const movedToo = yield* worktrees.among(unknown.filter((folder) => others.get(folder)?._tag === "Absent"))
      const isThere = ({ device, folder }: WorkingCopyRow) =>
        movedToo.has(folder) ||
        moved.has(folder) ||
        !isLost(statusOf(others.get(folder) ?? states.get(folder), device ?? undefined))
      const keyOf = ({ app, instance }: Pick<Allocation, "app" | "instance">) => JSON.stringify([app, instance])
      const present = Arr.groupBy(copies.filter(isThere), keyOf)
      const own = new Set(copies.map((copy) => `${keyOf(copy)}${copy.folder}`))
      const isUsed = (allocation: Allocation) =>
        own.has(`${keyOf(allocation)}${allocation.path}`) &&
        present[keyOf(allocation)]?.some(({ folder }) => folder !== allocation.path) === true
      const status = (path: string, device: string | undefined) => {
        const own = statusOf(states.get(path), device)
        const top = others.get(tops.get(path) ?? "")
        return own === "parent_gone" && top?._tag === "Absent" ? statusOf(top, device) : own
      }
      const { listens } = yield* listeners.snapshot
      const { published } = yield* listeners.containers
      const found = yield* Effect.forEach(pages, (page) =>
        Effect.flatMap(store.devices(page.map(({ id }) => id)), (devices) =>
          Effect.forEach(
            page,
            Effect.fnUntraced(function* (allocation) {
              const { id, path = "", port } = allocation
              const found = status(path, devices.get(id))
              if (found === "present" || moved.has(path) || isUsed(allocation)) return []
              const isBusy = found === "gone" && (published.has(port) || (yield* listens(port)))
              const candidate: Candidate = {
                allocation,
                verdict: found === "gone" ? (isBusy ? "listening" : "stale") : found
              }
              return [candidate]
            })
          )
        )
      )
      return found.flat(2)
    })

    /** Release those that are still as they were when they were read, and return them. */
    const release = (allocations: ReadonlyArray<Allocation>, revived: ReadonlySet<string>) =>
      store.write<ReadonlyArray<Allocation>, StorageError>(
        Effect.fnUntraced(function* (write) {
          const holders = yield* write.holders(allocations.map(({ port }) => port))
          const paths = new Map(holders.map(({ id, path }) => [id, path]))
          const stale = allocations.filter(({ id, path = "" }) => paths.get(id) === path && !revived.has(path))
          yield* write.remove(
            stale.map(({ id }) => id),
            "pruned"
          )
          return stale
        })
      )

    return {
      /**
       * Release the stale allocations, of the ids where some are given: those whose project folder is gone, and not moved
       * by git, while its parent, or that of its working copy, is there, on the device on which it was; whose instance no
       * other folder has that is there; and whose port nothing listens on. With `dry_run`, only return them.
       */
      prune: ({ dry_run = false, ids }: PruneRequest) =>
        Effect.gen(function* () {
          const revived = yield* ensured.watch
          const found = yield* candidates(ids === undefined ? undefined : new Set(ids))
          const stale = found.flatMap(({ allocation, verdict }) => (verdict === "stale" ? [allocation] : []))
          const kept = found.flatMap(
            ({ allocation, verdict }): ReadonlyArray<Kept> =>
              verdict === "stale" ? [] : [{ allocation, reason: verdict }]
          )
          const slices = dry_run ? [] : Chunk.toReadonlyArray(Chunk.chunksOf(Chunk.fromIterable(stale), sliceSize))
          const released = yield* Effect.forEach(slices, (slice) => release(Chunk.toReadonlyArray(slice), revived))
          const result: PruneResult = {
            allocations: dry_run ? stale : released.flat(),
            ...(kept.length === 0 ? {} : { kept })
          }
          return result
        }).pipe(Effect.scoped)
    } as const
  })
}) {}
