import * as Path from "@effect/platform/Path"
import type * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { AllowedHosts, AllowedHostsFromText } from "@port-server/domain/AllowedHost"
import * as Defaults from "@port-server/domain/Defaults"
import { anyEngine, EngineChoice, engineFromEnv } from "@port-server/domain/EngineChoice"
import { variable } from "@port-server/domain/EnvConfig"
import { RequestedPortFromDigits } from "@port-server/domain/Port"
import { PortRange, PortRangeFromText } from "@port-server/domain/PortRange"
import * as ServerFlags from "@port-server/domain/ServerFlags"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { defaultDatabase } from "./runtime/DataFolder.ts"

/** The options of `port-server`. */
export const options = {
  port: Flag.number(
    {
      name: "port",
      placeholder: "PORT",
      description: `Port to listen on (default ${Defaults.serverPort}); 0 for any free one`,
      variable: "PORT_SERVER_PORT"
    },
    RequestedPortFromDigits
  ).pipe(Flag.optional),
  db: Flag.file(ServerFlags.db).pipe(Flag.withSchema(ServerFlags.fileName("the database file")), Flag.optional),
  socket: Flag.file(ServerFlags.socket).pipe(Flag.withSchema(ServerFlags.fileName("the socket")), Flag.optional),
  allowHost: Flag.list(ServerFlags.allowHost).pipe(Flag.withSchema(AllowedHosts), Flag.optional),
  range: Flag.text(ServerFlags.range).pipe(Flag.withSchema(PortRangeFromText), Flag.optional),
  engine: Flag.text(ServerFlags.engine).pipe(Flag.withSchema(EngineChoice), Flag.optional),
  noProbe: Flag.boolean(ServerFlags.noProbe.name, ServerFlags.noProbe.description),
  log: Flag.file({
    name: "log",
    placeholder: "FILE",
    description: "Log to this file instead of printing; it is rotated at 1 MiB, 3 old ones are kept"
  }).pipe(Flag.withSchema(ServerFlags.fileName("the log file")), Flag.optional),
  check: Flag.boolean("check", "Check that the database is sound, and exit: 0 if so, 1 if not"),
  dryRun: Flag.boolean("dry-run", "Check that it could start if the port were free, and exit: 0 if so, 1 if not")
}

/** The command line of `port-server`, parsed. */
export type Flags = Command.Values<typeof options>

/** There is no place for the database; `message` is a sentence. */
export class NoHomeFolder extends Schema.TaggedError<NoHomeFolder>()("NoHomeFolder", { message: Schema.String }) {}

const or = <A>(flag: Option.Option<A>, config: Config.Config<A>) =>
  Option.match(flag, { onNone: () => config, onSome: Config.succeed })

const resolve = Effect.fnUntraced(function* (flags: Flags) {
  const path = yield* Path.Path
  const port = yield* or(flags.port, variable("PORT_SERVER_PORT", RequestedPortFromDigits, Defaults.serverPort))
  const defaultRange = Schema.decodeSync(PortRange)(Defaults.portRange)
  const range = yield* or(flags.range, variable("PORT_SERVER_RANGE", PortRangeFromText, defaultRange))
  const database = yield* or(
    flags.db,
    variable("PORT_SERVER_DB", ServerFlags.fileName("the database file"), defaultDatabase() ?? "")
  )
  if (database === "") {
    return yield* new NoHomeFolder({
      message: "there is no home folder for the database: set HOME, or use --db FILE"
    })
  }
  const socket = yield* or(
    flags.socket,
    variable("PORT_SERVER_SOCKET", ServerFlags.fileName("the socket"), `${database}.sock`)
  )
  const allowHosts = yield* or(flags.allowHost, variable("PORT_SERVER_ALLOW_HOST", AllowedHostsFromText, []))
  const environment = yield* engineFromEnv
  const log = Option.map(flags.log, (file) => path.resolve(file))
  const engine = Option.getOrElse(
    Option.orElse(flags.engine, () => environment),
    () => anyEngine
  )
  return {
    port,
    range,
    database: path.resolve(database),
    socket: path.resolve(socket),
    allowHosts,
    log,
    probe: !flags.noProbe,
    engine
  }
})

/** The settings that a port-server was started with. */
export class ServerConfig extends Context.Tag("@port-server/server/ServerConfig")<
  ServerConfig,
  {
    /** TCP port to listen on; 0 for any free one. */
    readonly port: number
    /** Path of the SQLite database file; its folder exists. */
    readonly database: string
    /** Path of the Unix socket to listen on, too. */
    readonly socket: string
    /** Hosts, beside this machine, under which requests with a token are accepted. */
    readonly allowHosts: ReadonlyArray<string>
    /** The ports that auto-assignment hands out. */
    readonly range: PortRange
    /** Path of the file that takes what is printed, where it is not printed. */
    readonly log: Option.Option<string>
    /** Whether auto-assignment skips the ports that something listens on. */
    readonly probe: boolean
    /** Where the container engine is: an `EngineChoice`. */
    readonly engine: string
  }
>() {
  /** What the command line says, then the environment, then the defaults. */
  static readonly layer = (flags: Flags) => Layer.effect(ServerConfig, resolve(flags))
}
