import * as NodeFs from "node:fs"
import { basename, dirname, join } from "node:path"

/** Write bytes to a file that is not there yet, completely or not at all. */
const stage = (beside: string, bytes: Uint8Array, mode: number): string => {
  // A folder of its own name, so that what a process that was killed has left is never in the way.
  const folder = NodeFs.mkdtempSync(join(dirname(beside), `.${basename(beside).slice(0, 200)}.`))
  const temporary = join(folder, "new")
  try {
    const file = NodeFs.openSync(temporary, "wx", mode)
    try {
      NodeFs.writeFileSync(file, bytes)
      NodeFs.fsyncSync(file)
    } finally {
      NodeFs.closeSync(file)
    }
  } catch (error) {
    NodeFs.rmSync(folder, { recursive: true, force: true })
    throw error
  }
  return temporary
}

const withStaged = (beside: string, bytes: Uint8Array, mode: number, use: (temporary: string) => void): void => {
  const temporary = stage(beside, bytes, mode)
  try {
    use(temporary)
  } finally {
    NodeFs.rmSync(dirname(temporary), { recursive: true, force: true })
  }
}

/** Make a file with these bytes; fails with `EEXIST` where there is one, and nobody ever sees a part of it. */
export const create = (file: string, bytes: Uint8Array): void =>
  withStaged(file, bytes, 0o666, (temporary) => NodeFs.linkSync(temporary, file))

/** Give a file these bytes, at once; its mode, and where that is allowed its owner, stay. */
export const replace = (file: string, bytes: Uint8Array): void => {
  const { gid, mode, uid } = NodeFs.statSync(file)
  withStaged(file, bytes, 0o600, (temporary) => {
    try {
      NodeFs.chownSync(temporary, uid, gid)
    } catch {
      // Another one's file in a folder of ours becomes ours.
    }
    NodeFs.chmodSync(temporary, mode & 0o7777)
    NodeFs.renameSync(temporary, file)
  })
}
