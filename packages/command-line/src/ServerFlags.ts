import * as Options from "@effect/cli/Options"
import * as Defaults from "@port-server/domain/Defaults"
import { PortRangeFromText } from "@port-server/domain/Port"
import * as Schema from "effect/Schema"
import * as Flag from "./command/Flag.ts"

// How a port-server is started: what port-server itself takes, and portctl passes on to it.

/** The name of a file, which is not empty. @param what what the sentence about an empty one calls it */
export const fileName = (what: string) =>
  Schema.String.pipe(Schema.filter((name) => name !== "" || `${what} must have a name`))

/** `--db`: the database file, as it was written. */
export const db = Flag.text(
  "db",
  "FILE",
  `Database file (default ~/${Defaults.dataFolder}/${Defaults.databaseFile})`
).pipe(Flag.reads(fileName("the database file")), Options.optional)

/** `--range`: the ports to hand out. */
export const range = Flag.text(
  "range",
  "FIRST-LAST",
  `Ports to hand out (default ${Defaults.portRange.first}-${Defaults.portRange.last})`
).pipe(Flag.reads(PortRangeFromText), Options.optional)

/** `--no-probe`: whether auto-assignment leaves unasked what listens. */
export const noProbe = Flag.boolean("no-probe", "Hand out ports also while something listens on them")
