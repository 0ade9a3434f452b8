import { resolve } from "node:path"
import { AllowedHostsFromText } from "@port-server/domain/AllowedHost"
import { InvalidRequest } from "@port-server/domain/CommonErrors"
import { EngineChoice } from "@port-server/domain/EngineChoice"
import { PortRangeFromText } from "@port-server/domain/PortRange"
import { AddressFromText, type ServerAddress } from "@port-server/domain/ServerAddress"
import * as ServerFlags from "@port-server/domain/ServerFlags"
import type { ServerSettings, Settings } from "@port-server/domain/Settings"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { entryOf, withEntry } from "./ServerEntry.ts"

/** The settings of one server, as the command line names them. */
const serverKeys = ["database", "range", "probe", "log", "engine", "socket", "allow_hosts"] as const
type ServerKey = (typeof serverKeys)[number]

/** What `portctl config` can set. */
export const keys = ["address", ...serverKeys] as const
/** A setting. */
export type Key = (typeof keys)[number]

const read = <A>(schema: Schema.Schema<A, string>) => {
  const decode = Schema.decodeEither(schema)
  return (text: string) => Either.mapLeft(decode(text), (error) => InvalidRequest.fromParseError(error).message)
}

const readAddress = read(AddressFromText)
const readRange = read(PortRangeFromText)
const readDatabase = read(ServerFlags.fileName("the database file"))
const readEngine = read(EngineChoice)
const readLog = read(ServerFlags.fileName("the log file"))
const readHosts = read(AllowedHostsFromText)
const readSocket = read(ServerFlags.fileName("the socket"))

/** A server setting from its text; a sentence where the text is none. */
const readServer: { readonly [K in ServerKey]: (text: string) => Either.Either<ServerSettings, string> } = {
  database: (text) => Either.map(readDatabase(text), (file) => ({ database: resolve(file) })),
  range: (text) => Either.map(readRange(text), (range) => ({ range })),
  probe: (text) =>
    text === "true" || text === "false"
      ? Either.right({ probe: text === "true" })
      : Either.left("probe must be true or false"),
  log: (text) => Either.map(readLog(text), (file) => ({ log: resolve(file) })),
  engine: (text) => Either.map(readEngine(text), (engine) => ({ engine })),
  socket: (text) => Either.map(readSocket(text), (file) => ({ socket: resolve(file) })),
  allow_hosts: (text) => Either.map(readHosts(text), (hosts) => ({ allow_hosts: hosts }))
}

/** The settings with one changed; those of a server are about the one at the address. */
export const set = (
  key: Key,
  text: string
): Either.Either<(at: ServerAddress) => (settings: Settings) => Settings, string> =>
  key === "address"
    ? Either.map(readAddress(text), (address) => () => (settings) => ({ ...settings, address }))
    : Either.map(
        readServer[key](text),
        (changed) => (at) => (settings) => withEntry(settings, at, { ...entryOf(settings, at), ...changed })
      )

/** The settings without one. @param runsWith what the server at the address runs with, which its restart would keep */
export const unset =
  (key: Key, at: ServerAddress, runsWith: ServerSettings) =>
  (settings: Settings): Settings => {
    if (key === "address") return Struct.omit(settings, key)
    const { unset: before = [], ...own } = Struct.omit(entryOf(settings, at), key)
    const unset = [...new Set([...before, ...(runsWith[key] === undefined ? [] : [key])])]
    return withEntry(settings, at, unset.length === 0 ? own : { ...own, unset })
  }

/** Whether a setting is in the file. */
export const isSet = (key: Key, at: ServerAddress, settings: Settings): boolean =>
  (key === "address" ? settings.address : entryOf(settings, at)[key]) !== undefined
