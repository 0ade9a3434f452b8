import { lstatSync } from "node:fs"
import { join, resolve } from "node:path"
import { databaseFile } from "@port-server/domain/Defaults"
import { variable } from "@port-server/domain/EnvConfig"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import { SocketAddress } from "@port-server/domain/SocketAddress"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as DataFolder from "../platform/DataFolder.ts"
import * as User from "../platform/User.ts"
import * as SettingsFile from "./SettingsFile.ts"

const besideDatabase = (database: string | undefined) => `${database || join(DataFolder.path(), databaseFile)}.sock`

/** Path of the socket of the server at an address, if that is started as the environment and the settings have it. */
export const socketPath = Effect.fnUntraced(function* (address: ServerAddress) {
  const given = yield* variable("PORT_SERVER_SOCKET", Schema.String, "")
  const database = yield* variable("PORT_SERVER_DB", Schema.String, "")
  const settings = yield* SettingsFile.serverSettings(address)
  return resolve(given || settings.socket || besideDatabase(database || settings.database))
})

/** The same, if it is started as the settings alone have it. */
const settingsSocketPath = (address: ServerAddress) =>
  Effect.map(SettingsFile.serverSettings(address), ({ database, socket }) => socket ?? besideDatabase(database))

/** A socket, where there is one of this user's own: nothing is asked of another user's that nobody chose. */
const own = <E>(path: Effect.Effect<string, E>): Effect.Effect<Option.Option<SocketAddress>> =>
  path.pipe(
    Effect.flatMap((path) =>
      Effect.try(() => {
        const found = lstatSync(path)
        return found.isSocket() && User.isOwnUid(found.uid)
          ? Option.some(new SocketAddress({ path }))
          : Option.none<SocketAddress>()
      })
    ),
    Effect.orElseSucceed(() => Option.none()),
    // Without a home there is no data folder.
    Effect.catchAllDefect(() => Effect.succeed(Option.none()))
  )

/** That of {@link socketPath}, where there is one of this user's own. */
export const ownSocket = (address: ServerAddress): Effect.Effect<Option.Option<SocketAddress>> =>
  own(socketPath(address))

/** {@link ownSocket} of the server that is started as the settings alone have it. */
export const ownSettingsSocket = (address: ServerAddress): Effect.Effect<Option.Option<SocketAddress>> =>
  own(settingsSocketPath(address))
