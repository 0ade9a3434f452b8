import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { TransactionOps } from "../storage/TransactionOps.ts"
import type { WorkingCopyRow } from "../storage/WorkingCopyRows.ts"
import { topOf } from "./Belonging.ts"
import type { ProbedFolders } from "./ProbedFolders.ts"

/** Where a project of a working copy is. */
export type Place = Pick<WorkingCopyRow, "home" | "home_file" | "project" | "folder" | "folder_file" | "device">

/** The rows of a working copy and of the other projects in it, where the first of them is found in another place. */
export const relocated = Effect.fnUntraced(function* (
  write: TransactionOps,
  rows: ReadonlyArray<WorkingCopyRow>,
  place: Place
) {
  const [first] = rows
  if (first === undefined) return []
  // Outside git, a project's path in its working copy was not known until now.
  if (first.home === place.home && first.folder === place.folder && first.project === place.project) return []
  const [before, now] = [topOf(first.folder, first.project), topOf(place.folder, place.project)]
  const all = yield* write.workingCopies.find(first.home, first.folder)
  const beside = all.filter(
    (row) =>
      before !== undefined &&
      row.home === first.home &&
      row.project !== first.project &&
      topOf(row.folder, row.project) === before
  )
  return [
    ...rows.map((row) => ({ from: row, to: { ...row, ...place } })),
    ...beside.map((row) => ({
      from: row,
      to: {
        ...row,
        home: place.home,
        home_file: place.home_file,
        folder: row.project === "" ? (now ?? row.folder) : `${now}/${row.project}`,
        device: null
      }
    }))
  ]
})

/** The rows of worktrees that git has moved away from the folder of a new one, with those of the other projects in them. */
export const displaced = Effect.fnUntraced(function* (
  write: TransactionOps,
  { folder, home }: Place,
  probed: ProbedFolders
) {
  const others = (yield* write.workingCopies.find(home, folder)).filter(
    (row) => row.folder === folder && row.home !== home && row.home !== folder
  )
  const found = yield* Effect.forEach(others, (row) => {
    const file = probed.stateOf(`${row.home}/gitdir`)
    const top = file?._tag === "Present" ? file.worktree : undefined
    const present = top === undefined ? folder : join(top, row.project)
    return relocated(write, present === folder ? [] : [row], { ...row, folder: present, device: null })
  })
  return found.flat()
})
