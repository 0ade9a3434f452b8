import { resolve } from "node:path"
import * as Options from "@effect/cli/Options"
import * as Flag from "@port-server/command-line/command/Flag"
import * as ServerFlags from "@port-server/command-line/ServerFlags"
import { serverPort } from "@port-server/domain/Defaults"
import { PortFromDigits } from "@port-server/domain/Port"
import * as Option from "effect/Option"

/** Which server of this machine is meant. */
export const port = Flag.text("port", "PORT", `Its port (default: PORT_SERVER_ADDR's, or ${serverPort})`).pipe(
  Flag.reads(PortFromDigits),
  Options.optional
)

/** How a server is started; what is not given is the server's own default. */
export const settings = {
  port,
  // The server runs in another folder than this.
  db: Options.map(
    ServerFlags.db,
    Option.map((file) => resolve(file))
  ),
  range: ServerFlags.range,
  noProbe: ServerFlags.noProbe
}
