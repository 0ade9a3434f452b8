import { readFileSync } from "node:fs"
import { PortRangeFromText } from "@port-server/domain/PortRange"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { EffectiveSetting } from "../server/EffectiveSettings.ts"
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

/** What the settings are, where each comes from, and whether the range is a good one. */
export const settingsChecks = (settings: ReadonlyArray<EffectiveSetting>): ReadonlyArray<Check> => [
  ok("settings", settings.map(({ key, source, value }) => `${key} ${value} (${source})`).join(", ")),
  ...settings.filter(({ key }) => key === "range").map(range)
]
