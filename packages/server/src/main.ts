import { homedir } from "node:os"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpServer from "@effect/platform/HttpServer"
import * as Path from "@effect/platform/Path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Defaults from "@port-server/domain/Defaults"
import { variable } from "@port-server/domain/Environment"
import { PortRange, PortRangeFromText, RequestedPortFromDigits } from "@port-server/domain/Port"
import { describe } from "@port-server/program/Description"
import * as Flag from "@port-server/program/Flag"
import * as Program from "@port-server/program/Program"
import * as Verb from "@port-server/program/Verb"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { DatabaseUnusable } from "./Database.ts"
import { HttpLive } from "./Http.ts"
import * as HttpListener from "./HttpListener.ts"
import { Registry } from "./Registry.ts"
import { ServerConfig } from "./ServerConfig.ts"

const FileName = Schema.String.pipe(Schema.filter((name) => name !== "" || "the database file must have a name"))

const options = {
  port: Flag.text("port", "PORT", `Port to listen on (default ${Defaults.serverPort}); 0 for any free one`).pipe(
    Flag.reads(RequestedPortFromDigits),
    Options.optional
  ),
  db: Flag.text("db", "FILE", `Database file (default ~/${Defaults.dataFolder}/${Defaults.databaseFile})`).pipe(
    Flag.reads(FileName),
    Options.optional
  ),
  range: Flag.text("range", "FIRST-LAST", "Ports to hand out (default 3000-9999)").pipe(
    Flag.reads(PortRangeFromText),
    Options.optional
  )
}

const or = <A>(flag: Option.Option<A>, config: Config.Config<A>) =>
  Option.match(flag, {
    onNone: () => config,
    onSome: Config.succeed
  })

/** The default database; its folder is made, for the user alone. */
const defaultDatabase = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = path.join(homedir(), Defaults.dataFolder)
  yield* fs.makeDirectory(folder, { mode: 0o700 }).pipe(
    Effect.catchIf(
      (error) => error._tag === "SystemError" && error.reason === "AlreadyExists",
      () => fs.chmod(folder, 0o700)
    ),
    Effect.mapError(
      () =>
        new DatabaseUnusable({
          message: `cannot make the folder ${folder} (is HOME your own folder? or use --db FILE)`
        })
    )
  )
  return path.join(folder, Defaults.databaseFile)
})

/** What the command line says, then the environment, then the defaults. */
const settings = Effect.fnUntraced(function* (flags: Command.Command.ParseConfig<typeof options>) {
  const path = yield* Path.Path
  const port = yield* or(flags.port, variable("PORT_SERVER_PORT", RequestedPortFromDigits, Defaults.serverPort))
  const defaultRange = Schema.decodeSync(PortRange)(Defaults.portRange)
  const range = yield* or(flags.range, variable("PORT_SERVER_RANGE", PortRangeFromText, defaultRange))
  const database = yield* or(flags.db, variable("PORT_SERVER_DB", Schema.String, ""))
  return { port, range, database: database === "" ? yield* defaultDatabase : path.resolve(database) }
})

const announce = Effect.gen(function* () {
  const { database, range } = yield* ServerConfig
  yield* HttpServer.addressFormattedWith((address) =>
    Console.log(`port-server listening on ${address}, database ${database}, range ${range}`)
  )
})

const serve = (flags: Command.Command.ParseConfig<typeof options>) =>
  // Built from the last line up: a port that is taken is found before the database is touched. Ended from the first line
  // down: requests in flight still have the database.
  Layer.effectDiscard(announce).pipe(
    Layer.provideMerge(HttpLive),
    Layer.provide(Registry.Default),
    Layer.provideMerge(HttpListener.layer),
    Layer.provide(Layer.effect(ServerConfig, settings(flags))),
    // Nobody collects the spans of this process; making them costs each request more than its work.
    Layer.provide(Layer.setTracerEnabled(false)),
    Layer.launch
  )

// What this process makes, database, -wal, -shm and logs, is the user's alone, whatever the umask was.
process.umask(0o077)

const portServer = Command.make("port-server", options, serve).pipe(
  describe(
    "Hand out this machine's ports over HTTP on 127.0.0.1, and never one to two owners.",
    "port-server --db ~/ports.db --range 20000-29999"
  ),
  Command.provide(Layer.mergeAll(NodeFileSystem.layer, NodePath.layer))
)

Program.runVerb(Verb.make(portServer), Defaults.version)
