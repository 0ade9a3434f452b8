import type { SqlError } from "@effect/sql/SqlError"
import type { EnsureRequest, EnsureResult } from "@port-server/domain/Ensure"
import { maxNameLength } from "@port-server/domain/Name"
import * as Effect from "effect/Effect"
import type { InstanceOps, PlacedRow } from "../storage/InstanceRows.ts"
import type { TransactionOps } from "../storage/TransactionOps.ts"
import type { WorkingCopyRow } from "../storage/WorkingCopyRows.ts"
import { topOf } from "./Belonging.ts"
import { isLost, statusOf } from "./FolderStatus.ts"
import type { ProbedFolders } from "./ProbedFolders.ts"

type Instance = Pick<EnsureRequest, "app" | "instance">

/** Whether nothing of a working copy is left: neither its folder nor its git directory. */
const isRowLost = ({ device, folder, home }: WorkingCopyRow, probed: ProbedFolders): boolean =>
  isLost(statusOf(probed.stateOf(folder), device ?? undefined)) &&
  (home === folder || isLost(statusOf(probed.stateOf(home), undefined)))

/** Folders that are probed at a time, where many do not exist any more. */
const probedAtATime = 64

/**
 * The folder that an instance belongs to by its allocations, where that is not `folder`: the folder of its oldest allocation,
 * of those whose folder is not lost. The rule of ownership, and the only place that has it.
 */
export const ownerByPorts = Effect.fnUntraced(function* (
  instances: Pick<InstanceOps, "folders">,
  instance: Instance,
  folder: string,
  probed: ProbedFolders
) {
  const seen = new Set<string>()
  let unprobed = 0
  for (let after: number | undefined; ; ) {
    const page: ReadonlyArray<PlacedRow> = yield* instances.folders(instance, after)
    if (page.length === 0) return undefined
    for (const { device, path } of page) {
      const key = JSON.stringify([path, device])
      if (seen.has(key)) continue
      seen.add(key)
      if (path === folder || unprobed === probedAtATime) return undefined
      if (probed.stateOf(path) === undefined) unprobed++
      else if (unprobed === 0 && !isLost(statusOf(probed.stateOf(path), device))) {
        return probed.isSame(path, folder) ? undefined : path
      }
    }
    after = page.at(-1)?.id
  }
})

/** The working copy that an instance belongs to, unless one of them is in `folder`. */
export const ownerByCopies = Effect.fnUntraced(function* (
  write: TransactionOps,
  { app, instance }: Instance,
  folder: string,
  probed: ProbedFolders
) {
  const rows = (yield* write.workingCopies.ofInstance(app, instance)).filter((row) => row.folder !== folder)
  const [owner] = rows.filter((row) => !isRowLost(row, probed) && !probed.isSame(row.folder, folder))
  return owner?.folder
})

/** The name with a number behind it; its end is cut where it would be too long. */
const numbered = (name: string, number: number): string => {
  const suffix = `-${number}`
  return `${[...name].slice(0, maxNameLength - suffix.length).join("")}${suffix}`
}

/** The instance of the working copy that a project is in, of the app that the project's is a part of: `shop:api` of `shop`. */
export const instanceAround = Effect.fnUntraced(function* (
  write: TransactionOps,
  app: string,
  { folder, home, home_file, project }: Pick<WorkingCopyRow, "folder" | "home" | "home_file" | "project">
) {
  const top = project === "" ? undefined : topOf(folder, project)
  if (top === undefined) return undefined
  // One that was moved has another folder still; git gives a new worktree the path of a removed one's git directory.
  const isSame = (row: WorkingCopyRow) => row.folder === top || (home_file !== "" && row.home_file === home_file)
  const tops = (yield* write.workingCopies.find(home, top)).filter(
    (row) => row.home === home && row.project === "" && isSame(row)
  )
  return tops.findLast((row) => app.startsWith(`${row.app}:`))?.instance
})

/** An instance for a working copy that has none of the app. */
export interface NewInstance {
  readonly instance: string
  /** The working copies that it belonged to, of which nothing is left. */
  readonly lost: ReadonlyArray<WorkingCopyRow>
  readonly instead_of?: NonNullable<EnsureResult["instead_of"]>
}

/**
 * The instance wished for, or the first one with a number behind its name that belongs to no other folder.
 *
 * @param around the instance of the working copy that a project is in, which is the best one for it
 * @param away the instances of the app that have left the folder, and where they are
 */
export const newInstance: (
  write: TransactionOps,
  wished: Instance & { readonly around: string | undefined },
  folder: string,
  away: ReadonlyMap<string, string>,
  probed: ProbedFolders
) => Effect.Effect<NewInstance, SqlError> = Effect.fnUntraced(function* (
  write,
  { app, around, instance: wish },
  folder,
  away,
  probed
) {
  // What came with a backup, or was ensured by a client that sends no working copy.
  const ofFolder = yield* write.instances.ofFolder({ app, instance: wish }, folder)
  const first = (ofFolder !== undefined && !away.has(ofFolder) ? ofFolder : around) ?? wish
  let instead_of: NewInstance["instead_of"]
  for (let number = 1; ; number++) {
    const instance = number === 1 ? first : numbered(wish, number)
    const rows = yield* write.workingCopies.ofInstance(app, instance)
    const owner =
      rows.find((row) => !isRowLost(row, probed))?.folder ??
      (yield* ownerByPorts(write.instances, { app, instance }, folder, probed))
    // What was allocated for the very name that is wished for is meant for it; for another name it is not.
    const isFree = number === 1 || !(yield* write.instances.hasUnplaced({ app, instance }))
    if (owner === undefined && isFree) {
      return instead_of === undefined ? { instance, lost: rows } : { instance, lost: rows, instead_of }
    }
    if (number === 1 && owner !== undefined) instead_of = { instance, folder: away.get(instance) ?? owner }
  }
})
