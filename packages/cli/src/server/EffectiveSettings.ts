import { existsSync } from "node:fs"
import { join } from "node:path"
import { databaseFile, portRange } from "@port-server/domain/Defaults"
import { anyEngine } from "@port-server/domain/EngineChoice"
import { sentenceOf } from "@port-server/domain/EnvConfig"
import type { Port } from "@port-server/domain/Port"
import { isSocketAddress, type ServerAddress } from "@port-server/domain/ServerAddress"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { CliError } from "../errors/CliError.ts"
import * as DataFolder from "../platform/DataFolder.ts"
import * as SettingsFile from "../settings/SettingsFile.ts"
import type { Key } from "../settings/SettingsKeys.ts"
import { usualAddress } from "../settings/UsualAddress.ts"
import { socketPath } from "../settings/UsualSocket.ts"
import * as ServerPaths from "./ServerPaths.ts"
import { localAddress, onThisMachine } from "./ServerProbe.ts"
import { noFlags, resolveSpec } from "./ServerSpec.ts"

/** What a setting is now, and where that was said: a variable, the settings file, or nowhere, which is the default. */
export interface EffectiveSetting {
  readonly key: Key
  readonly value: string | boolean
  readonly source: string
}

/** A value in a sentence: no allowed host is an empty text. */
export const shown = (value: EffectiveSetting["value"]): string => String(value) || "none"

const variables = {
  database: "PORT_SERVER_DB",
  range: "PORT_SERVER_RANGE",
  probe: "",
  log: "",
  engine: "DOCKER_HOST",
  socket: "PORT_SERVER_SOCKET",
  allow_hosts: "PORT_SERVER_ALLOW_HOST"
} as const

/** {@link DataFolder.path}, which a user without a home has not. */
const dataFolder = Effect.try({
  try: DataFolder.path,
  catch: (error) => SettingsFile.unusable({ message: sentenceOf(error) })
})

/** The server that settings are about: at `--port` of this machine, whatever the usual address is, or else at that. */
export const serverAt = Effect.fnUntraced(function* (port: Option.Option<Port>) {
  if (Option.isSome(port)) return onThisMachine(port.value)
  const usual = yield* usualAddress
  if (!isSocketAddress(usual)) return yield* localAddress(port)
  return yield* CliError.make(
    `portctl looks for the server at ${usual}, and a socket has no settings: --port says which server is meant`
  )
})

/** The settings by which the server at an address would be started now, and the usual address. */
export const effectiveSettings = Effect.fnUntraced(function* (at: ServerAddress) {
  const { effective, given } = yield* resolveSpec(at, noFlags)
  const file = yield* SettingsFile.read
  const usual = yield* usualAddress
  const source = (key: keyof typeof variables) => {
    if (given[key] !== undefined)
      return given[key] === process.env["DOCKER_CONTEXT"] ? "DOCKER_CONTEXT" : variables[key]
    return effective[key] === undefined ? "default" : SettingsFile.path()
  }
  const address = () => {
    if (process.env["PORT_SERVER_ADDR"]) return "PORT_SERVER_ADDR"
    return file.address === undefined ? "default" : SettingsFile.path()
  }
  const database = effective.database ?? join(yield* dataFolder, databaseFile)
  const log = Effect.orElseSucceed(ServerPaths.usualLog(DataFolder.find, at, effective.database), () =>
    ServerPaths.defaultLog(at)
  )
  const settings: ReadonlyArray<EffectiveSetting> = [
    { key: "address", value: String(usual), source: address() },
    { key: "database", value: database, source: source("database") },
    {
      key: "range",
      value: String(effective.range ?? `${portRange.first}-${portRange.last}`),
      source: source("range")
    },
    { key: "probe", value: effective.probe ?? true, source: source("probe") },
    { key: "log", value: effective.log ?? (yield* log), source: source("log") },
    { key: "engine", value: effective.engine ?? anyEngine, source: source("engine") },
    { key: "socket", value: yield* socketPath(at), source: source("socket") },
    { key: "allow_hosts", value: (effective.allow_hosts ?? []).join(","), source: source("allow_hosts") }
  ]
  return settings
})

/** Whether nothing was ever allocated here: there is no database where the server of this machine would have it. */
export const isUnused: Effect.Effect<boolean> = localAddress(Option.none()).pipe(
  Effect.flatMap(effectiveSettings),
  Effect.map((settings) => settings.some(({ key, value }) => key === "database" && !existsSync(String(value)))),
  Effect.orElseSucceed(() => false)
)
