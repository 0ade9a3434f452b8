import { homedir, userInfo } from "node:os"
import { join } from "node:path"
import * as Defaults from "@port-server/domain/Defaults"

/** Folder of the database unless another is named; undefined for a user without a home. */
export const dataFolder = (): string | undefined => {
  try {
    const home = homedir() || userInfo().homedir
    return home === "" ? undefined : join(home, Defaults.dataFolder)
  } catch {
    // HOME is not set, and the system has no entry for the user.
    return undefined
  }
}

/** The database unless another is named; undefined for a user without a home. */
export const defaultDatabase = (): string | undefined => {
  const folder = dataFolder()
  return folder === undefined ? undefined : join(folder, Defaults.databaseFile)
}
