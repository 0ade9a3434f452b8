import { dirname } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { dataFolder, defaultDatabase } from "../runtime/DataFolder.ts"
import { DatabaseUnusable, refuseForeignLink } from "./DatabaseFile.ts"

/** The folder of the default database, when `database` is that one. Fails where it must not be made, or used. */
const dataFolderOf = Effect.fnUntraced(function* (database: string) {
  const fs = yield* FileSystem.FileSystem
  const folder = dataFolder()
  if (folder === undefined || database !== defaultDatabase()) return undefined
  const { uid } = yield* Effect.orElseSucceed(fs.stat(dirname(folder)), () => ({ uid: Option.none<number>() }))
  if (process.getuid?.() === 0 && Option.exists(uid, (uid) => uid !== 0 && String(uid) === process.env["SUDO_UID"])) {
    return yield* new DatabaseUnusable({
      message: `${folder} is in the home of the user who called sudo, and would be root's: use sudo -H, or --db FILE`
    })
  }
  yield* refuseForeignLink(database, folder)
  return folder
})

const unmakeable = (folder: string) =>
  new DatabaseUnusable({
    message: `cannot make the folder ${folder} (is HOME your own folder? or use --db FILE)`
  })

/** Whether {@link makeDataFolder} would make the folder; fails where it could not. */
export const isDataFolderMissing = Effect.fnUntraced(function* (database: string) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* dataFolderOf(database)
  if (folder === undefined || (yield* Effect.orElseSucceed(fs.exists(folder), () => true))) return false
  yield* Effect.mapError(fs.access(dirname(folder), { writable: true }), () => unmakeable(folder))
  return true
})

/** Make the folder of the default database, for the user alone, when `database` is that one. */
export const makeDataFolder = Effect.fnUntraced(function* (database: string) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* dataFolderOf(database)
  if (folder === undefined) return
  yield* fs.makeDirectory(folder, { mode: 0o700 }).pipe(
    Effect.catchIf(
      (error) => error._tag === "SystemError" && error.reason === "AlreadyExists",
      () =>
        // A link leads to a folder that was not made here: its mode is its owner's choice.
        Effect.isSuccess(fs.readLink(folder)).pipe(
          Effect.zip(fs.stat(folder)),
          Effect.flatMap(([isLink, { type }]) =>
            isLink || type !== "Directory" ? Effect.void : fs.chmod(folder, 0o700)
          )
        )
    ),
    Effect.catchTag("SystemError", "BadArgument", () => unmakeable(folder))
  )
})
