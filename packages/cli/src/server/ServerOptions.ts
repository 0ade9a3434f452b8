import { resolve } from "node:path"
import type { Values } from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { UsageError } from "@port-server/command-line/UsageError"
import { AllowedHosts } from "@port-server/domain/AllowedHost"
import { serverPort } from "@port-server/domain/Defaults"
import { EngineChoice } from "@port-server/domain/EngineChoice"
import { PortFromDigits } from "@port-server/domain/Port"
import { PortRangeFromText } from "@port-server/domain/PortRange"
import * as ServerFlags from "@port-server/domain/ServerFlags"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as ServerSpec from "./ServerSpec.ts"

/** Which local server. */
export const port = Flag.number(
  { name: "port", placeholder: "PORT", description: `Its port (default: the usual address's, or ${serverPort})` },
  PortFromDigits
).pipe(Flag.optional)

// The server runs in another folder than this program.
const file = (data: Parameters<typeof Flag.file>[0], what: string) =>
  Flag.file(data).pipe(
    Flag.withSchema(ServerFlags.fileName(what)),
    Flag.map((file) => resolve(file)),
    Flag.optional
  )

/** The port of a command line, if any. */
export type Port = Values<{ readonly port: typeof port }>["port"]

/** The settings of a server to be started; those not given come from the environment, the settings file or the defaults. */
export const settings = {
  port,
  db: file(ServerFlags.db, "the database file"),
  range: Flag.text(ServerFlags.range).pipe(Flag.withSchema(PortRangeFromText), Flag.optional),
  probe: Flag.boolean("probe", "Skip ports that something listens on (default); undoes an earlier --no-probe"),
  noProbe: Flag.boolean(ServerFlags.noProbe.name, ServerFlags.noProbe.description),
  log: file(
    { name: "log", placeholder: "FILE", description: "Its log file (default: one in ~/.port_server)" },
    "the log file"
  ),
  engine: Flag.text(ServerFlags.engine).pipe(Flag.withSchema(EngineChoice), Flag.optional),
  socket: file(ServerFlags.socket, "the socket"),
  allowHost: Flag.list(ServerFlags.allowHost).pipe(Flag.withSchema(AllowedHosts), Flag.optional)
}

/** The parsed {@link settings} as the flags of a server. */
export const toServerFlags = ({ noProbe, probe, ...others }: Omit<Values<typeof settings>, "port">) =>
  noProbe && probe
    ? new UsageError({ message: "--probe and --no-probe exclude each other" })
    : Effect.succeed<ServerSpec.ServerFlags>({
        ...others,
        probe: noProbe || probe ? Option.some(probe) : Option.none()
      })
