import { linkSync, lstatSync, renameSync } from "node:fs"
import * as SystemError from "./SystemError.ts"

/** Give a file a second name, if nothing has that; false if something has. Where there are no hard links, it is renamed. */
export const link = (file: string, name: string): boolean => {
  try {
    linkSync(file, name)
    return true
  } catch (error) {
    if (SystemError.errorCode(error) === "EEXIST") return false
    if (lstatSync(name, { throwIfNoEntry: false }) !== undefined) return false
    renameSync(file, name)
    return true
  }
}
