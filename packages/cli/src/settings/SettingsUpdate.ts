import { settingsFile } from "@port-server/domain/Defaults"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import { type ServerSettings, Settings } from "@port-server/domain/Settings"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { cannotWrite } from "../errors/FileError.ts"
import type { SettingsUnusable } from "../errors/ServerErrors.ts"
import * as AtomicFile from "../platform/AtomicFile.ts"
import * as DataFolder from "../platform/DataFolder.ts"
import * as ProcessLock from "../platform/ProcessLock.ts"
import { entryOf, withEntry } from "./ServerEntry.ts"
import { path, read, unusable } from "./SettingsFile.ts"

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
    yield* ProcessLock.hold(settingsFile, "5 seconds", () =>
      unusable({ message: `cannot write ${path()}: another portctl has been writing it for 5 seconds` })
    )
    const before = yield* read
    const after = change(before)
    if (!Schema.equivalence(Settings)(before, after)) yield* write(after)
  }).pipe(Effect.scoped)

const withServer = (settings: Settings, address: ServerAddress, given: ServerSettings): Settings => {
  const { unset = [], ...entry } = { ...entryOf(settings, address), ...given }
  return withEntry(settings, address, unset.length === 0 ? entry : { ...entry, unset })
}

/** Whether the settings have already how the server at an address was started. */
export const has = (address: ServerAddress, given: ServerSettings): Effect.Effect<boolean, SettingsUnusable> =>
  Effect.map(read, (settings) => Schema.equivalence(Settings)(settings, withServer(settings, address, given)))

/** Keep how the server at an address was started, for the next start. */
export const remember = (address: ServerAddress, given: ServerSettings): Effect.Effect<void, SettingsUnusable> =>
  update((settings) => withServer(settings, address, given))
