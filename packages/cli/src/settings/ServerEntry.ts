import type { ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerSettings, Settings } from "@port-server/domain/Settings"
import * as Struct from "effect/Struct"

/** What the settings have of the server at an address. */
export const entryOf = (settings: Settings, at: ServerAddress): ServerSettings => settings.servers?.[String(at)] ?? {}

/** The settings with something else of the server at an address. */
export const withEntry = (settings: Settings, at: ServerAddress, entry: ServerSettings): Settings => {
  const { [String(at)]: _replaced, ...others } = settings.servers ?? {}
  const servers = Object.keys(entry).length === 0 ? others : { ...settings.servers, [String(at)]: entry }
  const rest = Struct.omit(settings, "servers")
  return Object.keys(servers).length === 0 ? rest : { ...rest, servers }
}
