import { dirname } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import { inspect, unusable } from "./DatabaseFile.ts"
import { isDataFolderMissing } from "./DatabaseFolder.ts"
import { isOutdated } from "./Migrations.ts"
import { connect, connectForInspection, toDatabaseUnusable } from "./SqliteConnection.ts"

/** Fails with `DatabaseUnusable` when a server could not open the database, or make it; it is left as it is. */
export const openingCheck = Effect.fnUntraced(function* (filename: string) {
  const fs = yield* FileSystem.FileSystem
  const isFolderMissing = yield* isDataFolderMissing(filename)
  const isThere = !isFolderMissing && (yield* inspect(filename))
  yield* Effect.mapError(
    isFolderMissing ? Effect.void : fs.access(isThere ? filename : dirname(filename), { writable: true }),
    () => unusable(filename, isThere ? "it cannot be written" : "no file can be made in its folder")
  )
  // Without a database of its own, one in memory shows that SQLite can be loaded.
  const opened = isThere
    ? Effect.asVoid(Effect.flatMap(connectForInspection(filename), isOutdated))
    : Effect.asVoid(connect(":memory:"))
  yield* opened.pipe(Effect.mapError(toDatabaseUnusable(filename)), Effect.scoped)
})
