import * as NodeFs from "node:fs"
import { homedir, userInfo } from "node:os"
import { join } from "node:path"
import * as Defaults from "@port-server/domain/Defaults"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { codeOf } from "../errors/FileError.ts"

/** The data folder cannot be used; `message` names it. */
export class DataFolderUnusable extends Data.TaggedError("DataFolderUnusable")<{ readonly message: string }> {}

/** Whether a file or a folder belongs to the user of this process. */
export const isOwn = ({ uid }: NodeFs.Stats): boolean => process.getuid === undefined || uid === process.getuid()

/** The user's home. */
export const home = (): string => homedir() || userInfo().homedir

/** Path of the folder of the database, the settings and the logs. */
export const path = (): string => join(home(), Defaults.dataFolder)

/** The data folder, made where it is missing; only its user can open it. */
export const make: Effect.Effect<string, DataFolderUnusable> = Effect.suspend(() => {
  const folder = path()
  const failed = (message: string) => new DataFolderUnusable({ message })
  try {
    try {
      NodeFs.mkdirSync(folder, { mode: 0o700 })
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error
    }
    const found = NodeFs.statSync(folder)
    if (!isOwn(found)) return failed(`the folder ${folder} belongs to another user (is HOME your own folder?)`)
    if (!found.isDirectory()) return failed(`${folder} is not a folder`)
    // A link leads to a folder that was not made here: its mode is its owner's choice.
    if (!NodeFs.lstatSync(folder).isSymbolicLink()) NodeFs.chmodSync(folder, 0o700)
    return Effect.succeed(folder)
  } catch {
    return failed(`cannot make the folder ${folder} (is HOME your own folder?)`)
  }
})
