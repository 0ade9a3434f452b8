import { closeSync, constants, fchownSync, mkdirSync, openSync, statSync } from "node:fs"
import { dirname } from "node:path"
import * as User from "./User.ts"

/**
 * Under `sudo`, give a file or a folder that was just made to the user who called it, if it is in a folder of theirs.
 *
 * @param made its descriptor: its name may lead somewhere else by now
 * @param folder where it was made
 */
export const give = (made: number, folder: string): void => {
  if (User.sudoUid === undefined) return
  try {
    const { gid, mode, uid } = statSync(folder)
    const isForGroup = (mode & 0o2000) !== 0
    if (uid === User.sudoUid) fchownSync(made, uid, isForGroup ? gid : (User.sudoGid ?? gid))
  } catch {
    // A file system can refuse that, such as one of the network.
  }
}

/**
 * Make a file and open it; one that was made is {@link give given} to the caller of `sudo`. Fails with `EEXIST` where
 * there is a file, or a link to none.
 *
 * @param flags how it is opened, beside being made
 */
export const create = (file: string, flags: number): number => {
  const made = openSync(file, flags | constants.O_CREAT | constants.O_EXCL, 0o666)
  give(made, dirname(file))
  return made
}

/** Make a folder where it is missing, and those above it, each {@link give given} to the caller of `sudo`. */
export const makeFolder = (folder: string): void => {
  const first = mkdirSync(folder, { recursive: true })
  if (first === undefined || User.sudoUid === undefined) return
  const made = [folder]
  while (made[0] !== undefined && made[0] !== first) made.unshift(dirname(made[0]))
  for (const each of made) {
    const descriptor = openSync(each, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
    give(descriptor, dirname(each))
    closeSync(descriptor)
  }
}
