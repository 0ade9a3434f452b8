import { statSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import * as BoundedFile from "../platform/BoundedFile.ts"
import { attempt } from "../platform/Process.ts"
import { normalized } from "./ProjectName.ts"

/** What is kept of a project. */
interface Kept {
  /** The folder of its Compose file, when it was kept. */
  readonly folder: string
  /** Which one in the file system that was. */
  readonly id: string
  /** The name that Compose gave it by itself. */
  readonly given: string
}

/** What stays the same when a folder is moved; empty where its file system does not record when it was made. */
export const idOf = (folder: string): string => {
  const { birthtimeNs = 0n, ino = 0n } = attempt(() => statSync(folder, { bigint: true })) ?? {}
  return birthtimeNs === 0n ? "" : `${ino}:${birthtimeNs}`
}

/** Whether a project is that of a folder, which may have been moved since. */
export const isOf = ({ folder: kept, id }: Kept, folder: string): boolean =>
  kept === folder || (id !== "" && id === idOf(folder) && id !== idOf(kept))

/** A folder and those above it. */
export const foldersUp = (folder: string): ReadonlyArray<string> =>
  folder === dirname(folder) ? [folder] : [folder, ...foldersUp(dirname(folder))]

/** What is kept of a project and of its working copy. */
interface KeptCopy extends Kept {
  readonly copy: string
  /** Its git directory; empty outside git. */
  readonly gitDir: string
}

/** The folder of a linked worktree, which `git worktree move` writes into its git directory. */
const worktreeOf = (gitDir: string): ReadonlyArray<string> => {
  const text = gitDir === "" ? undefined : attempt(() => BoundedFile.read(join(gitDir, "gitdir")).toString("utf8"))
  const [, folder] = /^([^\n]+)\/\.git\n?$/.exec(text ?? "") ?? []
  return folder === undefined ? [] : [resolve(gitDir, folder)]
}

/** A project's folder and that of its working copy, which may be one of these now, or where git has moved it. */
export const placeIn = ({ copy, folder, gitDir, id }: KeptCopy, copies: ReadonlyArray<string>) => {
  const isInside = folder === copy || folder.startsWith(`${copy}/`)
  if (!isInside || id === "" || id === idOf(folder)) return { copy, folder }
  const folderIn = (other: string) => `${other}${folder.slice(copy.length)}`
  const found = [...copies, ...worktreeOf(gitDir)].find((other) => idOf(folderIn(other)) === id)
  return found === undefined ? { copy, folder } : { copy: found, folder: folderIn(found) }
}

/** The name that Compose gives a project in its folder now: that of the folder, where it was that of the former one. */
export const givenIn = (project: Kept, folder: string): string =>
  project.given === normalized(basename(project.folder)) ? normalized(basename(folder)) : project.given

/** Whether Compose gives a project of a folder the same name as before, or one that follows the folder's. */
export const hasGiven = (project: Kept, folder: string, given: string): boolean =>
  [project.given, givenIn(project, folder)].includes(given)
