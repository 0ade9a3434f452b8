import { readFileSync, realpathSync } from "node:fs"
import { PortRangeFromText } from "@port-server/domain/PortRange"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { attempt } from "../platform/Process.ts"
import { type EffectiveSetting, shown } from "../server/EffectiveSettings.ts"
import type { Key } from "../settings/SettingsKeys.ts"
import { type Check, ok, warning } from "./Check.ts"

const ephemeralFile = "/proc/sys/net/ipv4/ip_local_port_range"

/** The ports that the system gives to outgoing connections; by IANA where it does not say. */
const ephemeral = (): readonly [first: number, last: number] => {
  try {
    const [first = 0, last = 0] = readFileSync(ephemeralFile, "utf8").trim().split(/\s+/).map(Number)
    return [first, last]
  } catch {
    return [49_152, 65_535]
  }
}

const range = ({ value }: EffectiveSetting): Check => {
  const [first, last] = ephemeral()
  const own = Schema.decodeOption(PortRangeFromText)(String(value))
  return Option.exists(own, (range) => range.first <= last && range.last >= first)
    ? warning(
        "range",
        `the range ${value} has ports of ${first}-${last}, which the system gives to outgoing connections`,
        `choose one below ${first} with portctl config set range`
      )
    : ok("range", `the range ${value} is outside of ${first}-${last}, which the system gives to outgoing connections`)
}

/** The settings of a server that it tells and that are as they were given. */
const settingsOf = ({ allow_hosts = [], database, engine, probe, range }: ServerInfo): ReadonlyMap<Key, string> =>
  new Map<Key, string>([
    ["database", database],
    ["range", range],
    ...(probe === undefined ? [] : [["probe", String(probe)] as const]),
    ...(engine === undefined ? [] : [["engine", engine] as const]),
    ["allow_hosts", allow_hosts.join(",")]
  ])

/** What the server that runs has of settings that say otherwise; a default leaves it as it is, also over a restart. */
const differences = (settings: ReadonlyArray<EffectiveSetting>, info: ServerInfo): ReadonlyArray<string> => {
  const running = settingsOf(info)
  return settings.flatMap(({ key, source, value }) => {
    const has = running.get(key)
    if (source === "default" || has === undefined) return []
    const real = (each: string) => (key === "database" ? (attempt(() => realpathSync(each)) ?? each) : each)
    return real(String(value)) === real(has) ? [] : [`the ${key} ${shown(has)}`]
  })
}

/**
 * What the settings are, where each comes from, and whether the range is a good one.
 *
 * @param running the server that they are about, if it runs
 */
export const settingsChecks = (
  settings: ReadonlyArray<EffectiveSetting>,
  running: ServerInfo | undefined
): ReadonlyArray<Check> => {
  const text = settings.map(({ key, source, value }) => `${key} ${shown(value)} (${source})`).join(", ")
  const other = running === undefined ? [] : differences(settings, running)
  return [
    other.length === 0
      ? ok("settings", text)
      : warning("settings", `${text}; the server that runs has ${other.join(" and ")}`, "portctl restart"),
    ...settings.filter(({ key }) => key === "range").map(range)
  ]
}
