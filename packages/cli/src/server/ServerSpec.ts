import { resolve } from "node:path"
import { AllowedHostsFromText } from "@port-server/domain/AllowedHost"
import { engineFromEnv } from "@port-server/domain/EngineChoice"
import { sentenceOf, variable } from "@port-server/domain/EnvConfig"
import { type PortRange, PortRangeFromText } from "@port-server/domain/PortRange"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerSettings } from "@port-server/domain/Settings"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ServerNotStarted, type SettingsUnusable } from "../errors/ServerErrors.ts"
import * as SettingsFile from "../settings/SettingsFile.ts"

/** The flags that say how a server is started. */
export interface ServerFlags {
  readonly db: Option.Option<string>
  readonly range: Option.Option<PortRange>
  readonly probe: Option.Option<boolean>
  readonly log: Option.Option<string>
  readonly engine: Option.Option<string>
  readonly socket: Option.Option<string>
  readonly allowHost: Option.Option<ReadonlyArray<string>>
}

/** No flags. */
export const noFlags: ServerFlags = {
  db: Option.none(),
  range: Option.none(),
  probe: Option.none(),
  log: Option.none(),
  engine: Option.none(),
  socket: Option.none(),
  allowHost: Option.none()
}

/** How a server is to be started, by where it was said. */
export interface ServerSpec {
  readonly address: ServerAddress
  /** By flags. */
  readonly flags: ServerSettings
  /** By flags, else the environment: what is remembered. */
  readonly given: ServerSettings
  /** By flags, else the environment, else the settings; what is missing is the server's default. */
  readonly effective: ServerSettings
  /** What the settings no longer have, and the server that runs may have from them. */
  readonly unset: NonNullable<ServerSettings["unset"]>
}

const fromFlags = ({ allowHost, db, engine, log, probe, range, socket }: ServerFlags): ServerSettings => ({
  ...(Option.isSome(db) ? { database: db.value } : {}),
  ...(Option.isSome(range) ? { range: range.value } : {}),
  ...(Option.isSome(probe) ? { probe: probe.value } : {}),
  ...(Option.isSome(log) ? { log: log.value } : {}),
  ...(Option.isSome(engine) ? { engine: engine.value } : {}),
  ...(Option.isSome(socket) ? { socket: socket.value } : {}),
  ...(Option.isSome(allowHost) ? { allow_hosts: allowHost.value } : {})
})

/** The range in `PORT_SERVER_RANGE`, for it has no default here. */
const SomeRange = Schema.transform(PortRangeFromText, Schema.OptionFromSelf(Schema.typeSchema(PortRangeFromText)), {
  strict: true,
  decode: Option.some,
  encode: Option.getOrThrow
})

const fromEnvironment: Effect.Effect<ServerSettings, ServerNotStarted> = Effect.gen(function* () {
  const database = yield* variable("PORT_SERVER_DB", Schema.String, "")
  const range = yield* variable("PORT_SERVER_RANGE", SomeRange, Option.none())
  const engine = yield* engineFromEnv
  const socket = yield* variable("PORT_SERVER_SOCKET", Schema.String, "")
  const allowHosts = yield* variable("PORT_SERVER_ALLOW_HOST", AllowedHostsFromText, [])
  return {
    ...(database === "" ? {} : { database: resolve(database) }),
    ...(Option.isSome(range) ? { range: range.value } : {}),
    ...(Option.isSome(engine) ? { engine: engine.value } : {}),
    ...(socket === "" ? {} : { socket: resolve(socket) }),
    ...(allowHosts.length === 0 ? {} : { allow_hosts: allowHosts })
  }
}).pipe(Effect.mapError((error) => new ServerNotStarted({ message: sentenceOf(error) })))

/** How the server at an address is to be started. */
export const resolveSpec = (
  address: ServerAddress,
  flags: ServerFlags
): Effect.Effect<ServerSpec, ServerNotStarted | SettingsUnusable> =>
  Effect.gen(function* () {
    const environment = yield* fromEnvironment
    const { unset = [], ...settings } = yield* SettingsFile.serverSettings(address)
    const given = { ...environment, ...fromFlags(flags) }
    return { address, flags: fromFlags(flags), given, effective: { ...settings, ...given }, unset }
  })

/** The command line of a server. */
export const toArguments = (
  { port }: ServerAddress,
  { allow_hosts = [], database, engine, log, probe, range, socket }: ServerSettings
): ReadonlyArray<string> => [
  "--port",
  String(port),
  ...(database === undefined ? [] : ["--db", database]),
  ...(range === undefined ? [] : ["--range", String(range)]),
  ...(probe === false ? ["--no-probe"] : []),
  ...(log === undefined ? [] : ["--log", log]),
  ...(engine === undefined ? [] : ["--engine", engine]),
  ...(socket === undefined ? [] : ["--socket", socket]),
  ...(allow_hosts.length === 0 ? [] : ["--allow-host", allow_hosts.join(",")])
]
