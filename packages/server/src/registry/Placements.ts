import type { SqlError } from "@effect/sql/SqlError"
import type { EnsureRequest, EnsureResult, WorkingCopy } from "@port-server/domain/Ensure"
import * as Effect from "effect/Effect"
import type { TransactionOps } from "../storage/TransactionOps.ts"
import type { WorkingCopyRow } from "../storage/WorkingCopyRows.ts"
import { isLost, statusOf } from "./FolderStatus.ts"
import { instanceAround, newInstance } from "./InstanceNames.ts"
import type { ProbedFolders } from "./ProbedFolders.ts"
import { displaced, type Place, relocated } from "./Relocations.ts"

/** Which instance of which app a working copy has. Nothing of it is written yet. */
export interface Placement {
  readonly app: string
  readonly instance: string
  readonly folder: string
  readonly device: string | undefined
  /** The rows as they are to be from now on, and the folders that they had. */
  readonly changed: ReadonlyArray<{ readonly row: WorkingCopyRow; readonly from: string }>
  /** Rows that no longer count. */
  readonly obsolete: ReadonlyArray<number>
  /** What is to be stored when ports are given to a working copy that is not known yet. */
  readonly added: Omit<WorkingCopyRow, "id"> | undefined
  /** The folders of the working copy that were moved, with their new paths. */
  readonly moves: ReadonlyMap<string, string>
  readonly notes: Pick<EnsureResult, "instance_before" | "moved_from" | "instead_of">
}

/** A request for the ports of a working copy. */
type Asked = Pick<EnsureRequest, "app"> & { readonly working_copy: WorkingCopy }

/** Whether another folder is at the path than the one that was there. */
const isRemade = ({ folder, folder_file }: WorkingCopyRow, probed: ProbedFolders): boolean => {
  const file = probed.idOf(folder)
  return file !== "" && ![file, ""].includes(folder_file)
}

/** Whether the folder is no longer where it was: nothing is there, or another one. */
const hasLeft = (row: WorkingCopyRow, probed: ProbedFolders): boolean => {
  const status = statusOf(probed.stateOf(row.folder), row.device ?? undefined)
  return status === "present" ? isRemade(row, probed) : status !== "unknown"
}

/**
 * The rows of a working copy. The rule of identity, and the only place that has it; the first of these that has rows:
 * 1. the same git directory (outside git: folder) and the same folder;
 * 2. the same folder, where no git directory was known of it until now, or is now;
 * 3. the same git directory, whose folder is no longer where it was: it was moved;
 * 4. a git directory (outside git: folder) that is the same one in the file system, at another path now: moved too;
 * 5. the same folder, whose former git directory no longer exists.
 * In 2 and 5, where another folder has been made at the path since, it must be of the same app: it is one that was made
 * again, and not another repository's.
 */
const rowsOf = Effect.fnUntraced(function* (
  write: TransactionOps,
  { app, working_copy: { folder, git_dir: home = folder, project = "" } }: Asked,
  probed: ProbedFolders
) {
  const found = yield* write.workingCopies.find(home, folder)
  const ofHome = found.filter((row) => row.home === home && row.project === project)
  const ofFolder = found.filter((row) => row.folder === folder)
  const known = ofHome.filter((row) => row.folder === folder)
  if (known.length > 0) return known
  // That of the repository, which may have been renamed since.
  const repository = home.replace(/\/worktrees\/[^/]+$/, "")
  const main = ofFolder.length === 0 || repository === home ? [] : yield* write.workingCopies.find(repository, folder)
  const apps = [app, ...main.flatMap((row) => (row.home === repository ? [row.app] : []))]
  const isSuccessor = (row: WorkingCopyRow) => apps.includes(row.app) || !isRemade(row, probed)
  const isHomeLost = (row: WorkingCopyRow) => isLost(statusOf(probed.stateOf(row.home), undefined))
  const bare = ofFolder.filter(
    (row) => (row.home === folder || (home === folder && !isHomeLost(row))) && isSuccessor(row)
  )
  if (bare.length > 0) return bare
  const moved = ofHome.filter((row) => hasLeft(row, probed) || probed.isSame(row.folder, folder))
  if (moved.length > 0) return moved
  const file = probed.idOf(home)
  const carried = (yield* write.workingCopies.withFile(file)).filter(
    (row) =>
      row.project === project &&
      row.home !== home &&
      // Two mounts of it have one path each; a link that was left at the old one leads to the new one.
      (probed.idOf(row.home) !== file || probed.isSame(row.home, home))
  )
  if (carried.length > 0) return carried
  return ofFolder.filter((row) => isHomeLost(row) && isSuccessor(row))
})

/** The row to use: of the app, or of one that is named after a folder; with the wished instance, or else the last one. */
const chosenRow = (rows: ReadonlyArray<WorkingCopyRow>, { app, instance, working_copy }: EnsureRequest) => {
  const named = working_copy?.app_from_folder === true ? rows.filter((row) => row.app_from_folder === 1) : []
  const ofApp = named.length > 0 ? named : rows.filter((row) => row.app === app)
  return ofApp.find((row) => row.instance === instance) ?? ofApp.at(-1)
}

/** Which instance a working copy has, as far as the folders that this depends on have been probed. */
export const place: (
  write: TransactionOps,
  request: EnsureRequest,
  copy: WorkingCopy,
  probed: ProbedFolders
) => Effect.Effect<Placement, SqlError> = Effect.fnUntraced(function* (write, request, copy, probed) {
  const { folder, git_dir = folder, project = "" } = copy
  const isNamed = copy.app_from_folder === true
  const rows = yield* rowsOf(write, { app: request.app, working_copy: copy }, probed)
  const row = chosenRow(rows, request)
  const app = row?.app ?? request.app
  const at = rows[0]
  // A folder whose git directory is known may be asked for without it.
  const home = at !== undefined && at.folder === folder && git_dir === folder ? at.home : git_dir
  const isThere = at !== undefined && at.home === home && at.folder === folder
  const state = isThere ? undefined : probed.stateOf(folder)
  const here: Place = {
    home,
    home_file: isThere ? at.home_file : probed.idOf(home),
    project,
    folder,
    folder_file: isThere ? at.folder_file : probed.idOf(folder),
    device: isThere ? at.device : state?._tag === "Present" ? state.device : null
  }

  const away = rows.length === 0 ? yield* displaced(write, here, probed) : []
  const named =
    request.share || row !== undefined
      ? { instance: request.share ? request.instance : (row?.instance ?? ""), lost: [] }
      : yield* newInstance(
          write,
          { app, instance: request.instance, around: yield* instanceAround(write, app, here) },
          folder,
          new Map(away.flatMap(({ from, to }) => (from.app === app ? [[from.instance, to.folder]] : []))),
          probed
        )
  const moved = yield* relocated(write, rows, here)
  const kept = moved.find(({ from }) => from.id === row?.id)?.to ?? row
  const now =
    kept === undefined
      ? undefined
      : { ...kept, instance: named.instance, app_from_folder: isNamed ? (1 as const) : kept.app_from_folder }
  const isChanged =
    row !== undefined &&
    now !== undefined &&
    (kept !== row || now.instance !== row.instance || now.app_from_folder !== row.app_from_folder)
  const moves = moved.filter(({ from, to }) => from.folder !== to.folder)
  return {
    app,
    instance: named.instance,
    folder,
    device: here.device ?? undefined,
    changed: [
      ...[...moved, ...away].flatMap(({ from, to }) => (from.id === row?.id ? [] : [{ row: to, from: from.folder }])),
      ...(isChanged && now !== undefined ? [{ row: now, from: row.folder }] : [])
    ],
    obsolete: [
      ...rows.filter((other) => row !== undefined && other.id !== row.id && other.app === row.app),
      ...named.lost
    ].map(({ id }) => id),
    added: row === undefined ? { ...here, app, app_from_folder: isNamed ? 1 : 0, instance: named.instance } : undefined,
    moves: new Map(moves.map(({ from, to }) => [from.folder, to.folder])),
    notes: {
      ...(at !== undefined && at.folder !== folder ? { moved_from: at.folder } : {}),
      ...(row !== undefined && row.instance !== named.instance ? { instance_before: row.instance } : {}),
      ...("instead_of" in named ? { instead_of: named.instead_of } : {})
    }
  }
})
