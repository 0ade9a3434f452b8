import { dirname } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { dataFolder, defaultDatabase } from "../runtime/DataFolder.ts"
import { DatabaseUnusable, refuseForeignLink } from "./DatabaseFile.ts"

/** Make the folder of the default database, for the user alone, when `database` is that one. */
export const makeDataFolder = Effect.fnUntraced(function* (database: string) {
  const fs = yield* FileSystem.FileSystem
  const folder = dataFolder()
  if (folder === undefined || database !== defaultDatabase()) return
  const { uid } = yield* Effect.orElseSucceed(fs.stat(dirname(folder)), () => ({ uid: Option.none<number>() }))
  if (process.getuid?.() === 0 && Option.exists(uid, (uid) => uid !== 0 && String(uid) === process.env["SUDO_UID"])) {
    return yield* new DatabaseUnusable({
      message: `${folder} is in the home of the user who called sudo, and would be root's: use sudo -H, or --db FILE`
    })
  }
  const message = `cannot make the folder ${folder} (is HOME your own folder? or use --db FILE)`
  yield* fs.makeDirectory(folder, { mode: 0o700 }).pipe(
    Effect.catchIf(
      (error) => error._tag === "SystemError" && error.reason === "AlreadyExists",
      () =>
        refuseForeignLink(database, folder).pipe(
          // A link leads to a folder that was not made here: its mode is its owner's choice.
          Effect.zipRight(Effect.isSuccess(fs.readLink(folder))),
          Effect.zip(fs.stat(folder)),
          Effect.flatMap(([isLink, { type }]) =>
            isLink || type !== "Directory" ? Effect.void : fs.chmod(folder, 0o700)
          )
        )
    ),
    Effect.catchTag("SystemError", "BadArgument", () => new DatabaseUnusable({ message }))
  )
})
