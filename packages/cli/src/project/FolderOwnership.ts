import * as NodeFs from "node:fs"
import type { Allocation } from "@port-server/domain/Allocation"
import { escapeControls } from "@port-server/domain/Name"
import { codeOf } from "../errors/FileError.ts"
import type { Here } from "./ProjectContext.ts"

/** A folder's real path; `undefined` when it is gone. One that cannot be looked at is not. */
const real = (path: string): string | undefined => {
  try {
    return NodeFs.realpathSync.native(path)
  } catch (error) {
    return ["ENOENT", "ENOTDIR"].includes(codeOf(error)) ? undefined : path
  }
}

/** Whether a folder is gone. */
const isGone = (path: string): boolean => real(path) === undefined

/**
 * The folder that an instance belongs to, where that is not the current one: the folder that the oldest of its
 * allocations was ensured for, of those whose folder is there.
 */
export const conflictingFolder = (
  { folder }: Pick<Here, "folder">,
  allocations: ReadonlyArray<Allocation>
): string | undefined => {
  const oldestFirst = [...allocations].sort((one, other) => one.id - other.id)
  const owner = oldestFirst.flatMap(({ path }) => path ?? []).find((path) => !isGone(path))
  return owner === undefined || real(owner) === real(folder) ? undefined : escapeControls(owner)
}
