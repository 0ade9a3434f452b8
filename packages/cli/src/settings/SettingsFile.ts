import { accessSync, constants } from "node:fs"
import { join } from "node:path"
import { InvalidRequest } from "@port-server/domain/Errors"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import { type ServerSettings, Settings, settingsFileName } from "@port-server/domain/Settings"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { cannotWrite } from "../errors/FileError.ts"
import { SettingsUnusable } from "../errors/ServerErrors.ts"
import * as AtomicFile from "../platform/AtomicFile.ts"
import * as DataFolder from "../platform/DataFolder.ts"
import * as JsonFile from "../platform/JsonFile.ts"
import * as ProcessLock from "../platform/ProcessLock.ts"

const unusable = ({ message }: { readonly message: string }) => new SettingsUnusable({ message })

/** Path of the settings file. */
export const path = (): string => join(DataFolder.path(), settingsFileName)

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
        : Effect.mapError(Schema.decodeUnknown(Settings)(value), (error) =>
            unusable({ message: `${file}: ${InvalidRequest.fromParseError(error).message}` })
          )
    )
  )
})

const write = (settings: Settings) =>
  Effect.zipRight(
    Effect.mapError(DataFolder.make, unusable),
    Effect.try({
      try: () => {
        const text = `${JSON.stringify(Schema.encodeSync(Settings)(settings), undefined, 2)}\n`
        AtomicFile.writeOwn(path(), Buffer.from(text))
      },
      catch: (error) => unusable({ message: cannotWrite(path(), error) })
    })
  )

/** Change the settings: what another portctl changes at the same time is kept, and a file that is as wanted already, too. */
export const update = (change: (settings: Settings) => Settings): Effect.Effect<void, SettingsUnusable> =>
  Effect.gen(function* () {
    yield* ProcessLock.hold(settingsFileName, "5 seconds", () =>
      unusable({ message: `cannot write ${path()}: another portctl has been writing it for 5 seconds` })
    )
    const before = yield* read
    const after = change(before)
    if (!Schema.equivalence(Settings)(before, after)) yield* write(after)
  }).pipe(Effect.scoped)

/** How the server at an address is started, as far as the settings have it. */
export const serverSettings = (address: ServerAddress): Effect.Effect<ServerSettings, SettingsUnusable> =>
  Effect.map(read, ({ servers }) => servers?.[String(address)] ?? {})

/** Keep how the server at an address was started, for the next start. */
export const remember = (address: ServerAddress, given: ServerSettings): Effect.Effect<void, SettingsUnusable> =>
  Object.keys(given).length === 0
    ? Effect.void
    : update((settings) => ({
        ...settings,
        servers: { ...settings.servers, [String(address)]: { ...settings.servers?.[String(address)], ...given } }
      }))
