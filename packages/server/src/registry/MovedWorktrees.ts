import { join } from "node:path"
import * as Effect from "effect/Effect"
import { FolderProbe } from "../folders/FolderProbe.ts"
import { AllocationRepository } from "../storage/AllocationRepository.ts"
import { withFolders } from "../storage/WorkingCopyRows.ts"
import { topOf } from "./Belonging.ts"

const nothing: ReadonlyMap<string, string> = new Map()

/**
 * Where linked worktrees are that git has moved since they asked last. `git worktree move` writes the new folder into the
 * git directory, by which a working copy is known.
 */
export class MovedWorktrees extends Effect.Service<MovedWorktrees>()("@port-server/server/registry/MovedWorktrees", {
  effect: Effect.gen(function* () {
    const store = yield* AllocationRepository
    const { probe } = yield* FolderProbe

    return {
      /**
       * Those of the folders, which are gone, whose worktree is somewhere else now, with the new paths; and where its top
       * was and is.
       */
      among: Effect.fnUntraced(function* (folders: ReadonlyArray<string>) {
        if (folders.length === 0) return nothing
        const copies = (yield* store.read((reader) => withFolders(reader, folders))).filter(
          ({ folder, home }) => home !== folder
        )
        const files = yield* probe(copies.map(({ home }) => join(home, "gitdir")))
        const places = copies.flatMap(({ folder, home, project }) => {
          const file = files.get(join(home, "gitdir"))
          const top = topOf(folder, project)
          if (file?._tag !== "Present" || file.worktree === undefined) return []
          return [
            ...(top === undefined ? [] : [{ folder: top, present: file.worktree }]),
            { folder, present: join(file.worktree, project) }
          ]
        })
        const found = yield* probe(places.map(({ present }) => present))
        return new Map(
          places.flatMap(({ folder, present }) => (found.get(present)?._tag === "Present" ? [[folder, present]] : []))
        )
      })
    } as const
  })
}) {}
