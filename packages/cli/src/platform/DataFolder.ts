import { accessSync, chmodSync, constants, lstatSync, mkdirSync, type Stats, statSync } from "node:fs"
import { homedir, userInfo } from "node:os"
import { dirname, join } from "node:path"
import * as Defaults from "@port-server/domain/Defaults"
import { sentenceOf } from "@port-server/domain/EnvConfig"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { cannotMake, codeOf } from "../errors/FileError.ts"
import * as User from "./User.ts"

/** The data folder cannot be used; `message` names it. */
export class DataFolderUnusable extends Data.TaggedError("DataFolderUnusable")<{ readonly message: string }> {}

/** Whether a file or a folder belongs to the user of this process. */
export const isOwn = ({ uid }: Stats): boolean => process.getuid === undefined || uid === process.getuid()

/** The user's home; throws where there is none. */
export const home = (): string => {
  try {
    const found = homedir() || userInfo().homedir
    if (found !== "") return found
  } catch {
    // HOME is not set, and the system has no entry for the user.
  }
  throw new Error("there is no home folder: set HOME")
}

/** Path of the folder of the database, the settings and the logs. */
export const path = (): string => join(home(), Defaults.dataFolder)

const failed = (message: string) => new DataFolderUnusable({ message })

const cannotBeMade = (folder: string) => (error: unknown) =>
  failed(`${cannotMake(folder, error)} (is HOME your own folder?)`)

/** @param isThere whether the folder is there, once a missing one was made; throws where it could not be made */
const usable = (isThere: (folder: string) => boolean): Effect.Effect<string, DataFolderUnusable> =>
  Effect.suspend(() => {
    let folder: string
    try {
      folder = path()
    } catch (error) {
      return failed(sentenceOf(error))
    }
    try {
      if (User.sudoUid !== undefined && statSync(home()).uid === User.sudoUid) {
        return failed(`${folder} is in the home of the user who called sudo, and would be root's: use sudo -H`)
      }
      if (!isThere(folder)) return Effect.succeed(folder)
      const found = statSync(folder)
      if (!isOwn(found)) return failed(`the folder ${folder} belongs to another user (is HOME your own folder?)`)
      return found.isDirectory() ? Effect.succeed(folder) : failed(`${folder} is not a folder`)
    } catch (error) {
      return cannotBeMade(folder)(error)
    }
  })

/** The data folder, if it can be used; it is not made. */
export const find: Effect.Effect<string, DataFolderUnusable> = usable((folder) => {
  if (lstatSync(folder, { throwIfNoEntry: false }) !== undefined) return true
  accessSync(dirname(folder), constants.W_OK | constants.X_OK)
  return false
})

/** The data folder, made where it is missing; only its user can open it. */
export const make: Effect.Effect<string, DataFolderUnusable> = Effect.tap(
  usable((folder) => {
    try {
      mkdirSync(folder, { mode: 0o700 })
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error
    }
    return true
  }),
  (folder) =>
    Effect.try({
      try: () => {
        const found = lstatSync(folder)
        // A link leads to a folder that was not made here: its mode is its owner's choice.
        if (!found.isSymbolicLink() && (found.mode & 0o7777) !== 0o700) chmodSync(folder, 0o700)
      },
      catch: cannotBeMade(folder)
    })
)
