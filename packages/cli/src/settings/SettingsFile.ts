import { accessSync, constants } from "node:fs"
import { join } from "node:path"
import { settingsFile } from "@port-server/domain/Defaults"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerSettings, Settings } from "@port-server/domain/Settings"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { SettingsUnusable } from "../errors/ServerErrors.ts"
import * as DataFolder from "../platform/DataFolder.ts"
import { decodeSentence } from "../platform/DecodeSentence.ts"
import * as JsonFile from "../platform/JsonFile.ts"
import { entryOf } from "./ServerEntry.ts"

/** The error of settings that cannot be used. */
export const unusable = ({ message }: { readonly message: string }) => new SettingsUnusable({ message })

/** Path of the settings file. */
export const path = (): string => join(DataFolder.path(), settingsFile)

/** Whether there is a data folder that this user may open: without a home, or in another user's, there are no settings. */
const isFolderOpen = (): boolean => {
  try {
    accessSync(DataFolder.path(), constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The settings; none where there is no file. */
export const read: Effect.Effect<Settings, SettingsUnusable> = Effect.suspend(() => {
  if (!isFolderOpen()) return Effect.succeed<Settings>({})
  const file = path()
  return Effect.mapError(JsonFile.read(file), unusable).pipe(
    Effect.flatMap((value) =>
      value === undefined
        ? Effect.succeed<Settings>({})
        : // Loaded only then: most users have no such file.
          Effect.flatMap(
            Effect.promise(() => import("@port-server/domain/Settings")),
            ({ Settings }) =>
              Effect.catchAll(Schema.decodeUnknown(Settings)(value), (error) =>
                Effect.flatMap(decodeSentence(error), (sentence) => unusable({ message: `${file}: ${sentence}` }))
              )
          )
    )
  )
})

/** How the server at an address is started, as far as the settings have it. */
export const serverSettings = (address: ServerAddress): Effect.Effect<ServerSettings, SettingsUnusable> =>
  Effect.map(read, (settings) => entryOf(settings, address))
