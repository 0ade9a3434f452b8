import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { basename, dirname, join } from "node:path"
import { codedError } from "@port-server/domain/SystemError"
import { codeOf } from "../errors/FileError.ts"
import * as CallerOwned from "./CallerOwned.ts"
import { isOwn } from "./DataFolder.ts"

/** Write the bytes to a temporary file beside the one that they are for. */
const stage = (beside: string, bytes: Uint8Array, mode: number): string => {
  // In a folder with a unique name, so that what a killed process has left behind is never in the way.
  const folder = mkdtempSync(join(dirname(beside), `.${basename(beside).slice(0, 200)}.`))
  const temporary = join(folder, "new")
  try {
    const file = openSync(temporary, "wx", mode)
    try {
      writeFileSync(file, bytes)
      CallerOwned.give(file, dirname(beside))
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
  return temporary
}

const withStaged = (beside: string, bytes: Uint8Array, mode: number, use: (temporary: string) => void): void => {
  const temporary = stage(beside, bytes, mode)
  try {
    use(temporary)
  } finally {
    rmSync(dirname(temporary), { recursive: true, force: true })
  }
}

/** What file systems without hard links say, such as those of memory sticks and of shared folders. */
const noLinks = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]

/**
 * Make a file with these bytes, complete from the start where there are hard links; fails with `EEXIST` where there is one.
 */
export const create = (file: string, bytes: Uint8Array, mode = 0o666): void =>
  withStaged(file, bytes, mode, (temporary) => {
    try {
      linkSync(temporary, file)
    } catch (error) {
      if (!noLinks.includes(codeOf(error))) throw error
      // The name first, so that a file which somebody else has just made stays.
      closeSync(openSync(file, "wx", mode))
      try {
        renameSync(temporary, file)
      } catch (error) {
        rmSync(file, { force: true })
        throw error
      }
    }
  })

/**
 * Give a file these bytes, at once; its mode, and where that is allowed its owner, stay, and its other hard links keep
 * the old bytes. Fails for a file that this user may not write.
 */
export const replace = (file: string, bytes: Uint8Array): void => {
  // A rename asks only for the right to write the folder.
  accessSync(file, constants.W_OK)
  const { gid, mode, uid } = statSync(file)
  withStaged(file, bytes, 0o600, (temporary) => {
    try {
      chownSync(temporary, uid, gid)
    } catch {
      // Its group may be one that this user is not in.
    }
    chmodSync(temporary, mode & 0o7777)
    renameSync(temporary, file)
  })
}

/** The path that a file of portctl's own is written at; `undefined` where there is none. Fails for another user's. */
export const ownTarget = (file: string): string | undefined => {
  if (lstatSync(file, { throwIfNoEntry: false }) === undefined) return undefined
  const status = statSync(file, { throwIfNoEntry: false })
  if (status === undefined) throw codedError("ELOOP", file)
  if (!status.isFile()) throw codedError(status.isDirectory() ? "EISDIR" : "ENOTFILE", file)
  if (!isOwn(status)) throw codedError("EOTHERUSER", file)
  return realpathSync(file)
}

/**
 * Give a file of portctl's own these bytes, at once. A new one is readable only by its owner; one that is there keeps its
 * mode, and a link to it.
 */
export const writeOwn = (file: string, bytes: Uint8Array): void => {
  const target = ownTarget(file)
  if (target === undefined) create(file, bytes, 0o600)
  else replace(target, bytes)
}
