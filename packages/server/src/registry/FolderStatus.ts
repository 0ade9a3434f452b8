import type { Allocation } from "@port-server/domain/Allocation"
import type { FolderState } from "../folders/FolderState.ts"

/**
 * What became of a project folder: it is there; it is gone; its parent folder is gone too; the disk that it was on is not
 * mounted; or it could not be probed.
 */
export type FolderStatus = "present" | "gone" | "parent_gone" | "not_mounted" | "unknown"

/**
 * @param device the device that the parent of the folder was on when the folder was last seen, where it is known
 */
export const statusOf = (state: FolderState | undefined, device: string | undefined): FolderStatus => {
  if (state === undefined || state._tag === "Unknown") return "unknown"
  if (state._tag === "Present") return "present"
  if (device !== undefined && device !== state.device) return "not_mounted"
  if (!state.hasParent) return "parent_gone"
  // An unmounted mount point is an empty folder, and nothing is known that tells the two apart.
  return device === undefined && state.isParentEmpty ? "not_mounted" : "gone"
}

/** Whether a folder can no longer own an instance: it is certain that it does not exist. */
export const isLost = (status: FolderStatus): boolean => status === "gone" || status === "parent_gone"

/** Whether two paths lead to one folder. */
export const isSame = (one: string, other: string, states: ReadonlyMap<string, FolderState>): boolean => {
  const real = (path: string) => {
    const state = states.get(path)
    return state?._tag === "Present" ? state.real : path
  }
  return one === other || real(one) === real(other)
}

/** An instance's folders as they were probed. */
export interface Folders {
  readonly states: ReadonlyMap<string, FolderState>
  /** The remembered device of each allocation's folder. */
  readonly devices: ReadonlyMap<number, string>
}

/** What became of an allocation's folder. */
export const folderOf = (allocation: Allocation, { devices, states }: Folders): FolderStatus =>
  statusOf(states.get(allocation.path ?? ""), devices.get(allocation.id))
