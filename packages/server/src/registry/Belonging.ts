import { dirname } from "node:path"
import { projectFileName } from "@port-server/domain/Defaults"
import type { PortSocket } from "@port-server/domain/Listener"
import { removedFolder } from "@port-server/domain/ListenerSockets"
import { markers } from "@port-server/domain/WorkingCopyMarkers"

/** Whether a process belongs to a project. */
export type Belongs = NonNullable<PortSocket["belongs"]>

/** Whether the path is that of a removed folder, unless a folder has such a name. */
export const mayBeDeleted = (folder: string): boolean => removedFolder(folder) !== undefined

/** The project file that a folder has if it is a project's. */
export const projectFileOf = (folder: string): string => `${folder}/${projectFileName}`

/** The paths by which a folder is recognized as a working copy, or as a project of its own in one. */
export const markersOf = (folder: string): ReadonlyArray<string> => [
  ...markers.map((name) => `${folder}/${name}`),
  projectFileOf(folder)
]

/** A folder and those above it, deepest first. */
export const foldersUp = (folder: string): ReadonlyArray<string> =>
  folder === dirname(folder) ? [folder] : [folder, ...foldersUp(dirname(folder))]

/** A folder and those above it that are below the project, deepest first; `undefined` where it is not in the project. */
export const foldersBelow = (folder: string, project: string): ReadonlyArray<string> | undefined => {
  const below: Array<string> = []
  for (let current = folder; ; current = dirname(current)) {
    if (current === project) return below
    if (current === dirname(current)) return undefined
    below.push(current)
  }
}

/** A project's folder without its path in the working copy. */
export const topOf = (folder: string, project: string): string | undefined => {
  if (project === "") return folder
  return folder.endsWith(`/${project}`) ? folder.slice(0, -project.length - 1) : undefined
}

/**
 * Whether a process in a folder belongs to a project. The rule, and the only place that has it: the deepest working copy
 * that contains the folder must be the project's. All folders are in `/`, and daemons run there, whosever they are: of a
 * project there, nothing is known to be its own.
 *
 * @param isWorkingCopy whether a folder is the top of another working copy; `undefined` where that is unknown
 */
export const belongs = (
  folder: string,
  project: string,
  isWorkingCopy: (folder: string) => boolean | undefined
): Belongs => {
  const found = foldersBelow(folder, project)?.map(isWorkingCopy)
  if (found === undefined || found.includes(true)) return "no"
  return found.includes(undefined) || project === "/" ? "unknown" : "yes"
}
