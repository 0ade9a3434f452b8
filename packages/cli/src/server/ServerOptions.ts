import { resolve } from "node:path"
import * as Flag from "@port-server/command-line/command/Flag"
import { serverPort } from "@port-server/domain/Defaults"
import { PortFromDigits, PortRangeFromText } from "@port-server/domain/Port"
import * as ServerFlags from "@port-server/domain/ServerFlags"

/** Which server of this machine is meant. */
export const port = Flag.number(
  { name: "port", placeholder: "PORT", description: `Its port (default: PORT_SERVER_ADDR's, or ${serverPort})` },
  PortFromDigits
).pipe(Flag.optional)

/** How a server is started; what is not given is the server's own default. */
export const settings = {
  port,
  // The server runs in another folder than this.
  db: Flag.file(ServerFlags.db).pipe(
    Flag.withSchema(ServerFlags.fileName("the database file")),
    Flag.map((file) => resolve(file)),
    Flag.optional
  ),
  range: Flag.text(ServerFlags.range).pipe(Flag.withSchema(PortRangeFromText), Flag.optional),
  noProbe: Flag.boolean(ServerFlags.noProbe.name, ServerFlags.noProbe.description)
}
