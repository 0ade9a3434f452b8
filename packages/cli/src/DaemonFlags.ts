import { resolve } from "node:path"
import * as Options from "@effect/cli/Options"
import { serverPort } from "@port-server/domain/Defaults"
import { PortFromDigits, PortRangeFromText } from "@port-server/domain/Port"
import * as Flag from "@port-server/program/Flag"
import * as Schema from "effect/Schema"

/** Which server of this machine is meant. */
export const port = Flag.text("port", "PORT", `Its port (default: PORT_SERVER_ADDR's, or ${serverPort})`).pipe(
  Flag.reads(PortFromDigits),
  Options.optional
)

const FileName = Schema.String.pipe(Schema.filter((name) => name !== "" || "the database file must have a name"))

/** How a server is started; what is not given is the server's own default. */
export const settings = {
  port,
  db: Flag.text("db", "FILE", "Database file (default ~/.port_server/ports.db)").pipe(
    Flag.reads(FileName),
    // The server runs in another folder than this.
    Options.map((file) => resolve(file)),
    Options.optional
  ),
  range: Flag.text("range", "FIRST-LAST", "Ports to hand out (default 3000-9999)").pipe(
    Flag.reads(PortRangeFromText),
    Options.optional
  ),
  noProbe: Flag.boolean("no-probe", "Hand out ports also while something listens on them")
}
