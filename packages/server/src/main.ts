import * as HttpServer from "@effect/platform/HttpServer"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Command from "@port-server/command-line/command/Command"
import { launch } from "@port-server/command-line/Launch"
import { version } from "@port-server/domain/Defaults"
import { sentenceOf } from "@port-server/domain/EnvConfig"
import { escapeControls } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { HttpLive } from "./http/Api.ts"
import * as LoopbackHttpServer from "./http/LoopbackHttpServer.ts"
import { Branches } from "./registry/Branches.ts"
import { Events } from "./registry/Events.ts"
import { Imports } from "./registry/Imports.ts"
import { Projects } from "./registry/Projects.ts"
import { Prune } from "./registry/Prune.ts"
import { Registry } from "./registry/Registry.ts"
import * as LogFile from "./runtime/LogFile.ts"
import * as StopDeadline from "./runtime/StopDeadline.ts"
import { uncaughtException } from "./runtime/UncaughtException.ts"
import { ServerConfig } from "./ServerConfig.ts"
import { type Flags, makeDataFolder, options, settings } from "./Settings.ts"
import { integrityCheck } from "./storage/IntegrityCheck.ts"
import { openingCheck } from "./storage/OpeningCheck.ts"
import { refuseOtherNetwork } from "./storage/OtherNetwork.ts"

/** The one ready line: printed, or the first of the log file. */
const announce = Effect.gen(function* () {
  const { database, log, range } = yield* ServerConfig
  yield* HttpServer.addressFormattedWith((address) => {
    const line = `port-server listening on ${address}, database ${database}, range ${range}`
    return Option.isSome(log) ? Effect.logInfo(line) : Console.log(line)
  })
})

const Log = Layer.unwrapEffect(
  Effect.map(ServerConfig, ({ database, log }) =>
    Option.match(log, { onNone: () => Layer.empty, onSome: (file) => LogFile.layer(file, database) })
  )
)

/** A start that fails is in the log, too; on stderr the program reports it. */
const logFailure = (error: unknown) =>
  Effect.flatMap(ServerConfig, ({ log }) => (Option.isSome(log) ? Effect.logError(sentenceOf(error)) : Effect.void))

const serve = (flags: Flags) =>
  // Built from the last line up: a port that is taken is found before the log and the database are touched. Ended from
  // the first line down: requests in flight still have the database.
  Layer.effectDiscard(announce).pipe(
    Layer.provideMerge(HttpLive),
    Layer.provide(
      Layer.mergeAll(
        Registry.Default,
        Projects.Default,
        Imports.Default,
        Prune.Default,
        Events.Default,
        Branches.Default
      )
    ),
    Layer.provide(Layer.effectDiscard(Effect.flatMap(ServerConfig, ({ database }) => refuseOtherNetwork(database)))),
    Layer.tapError(logFailure),
    Layer.provide(Log),
    Layer.provideMerge(LoopbackHttpServer.layer),
    Layer.provide(
      Layer.effect(
        ServerConfig,
        Effect.tap(settings(flags), ({ database }) => makeDataFolder(database))
      )
    ),
    // Nobody collects the spans of this process; making them costs each request more than its work.
    Layer.provide(Layer.setTracerEnabled(false)),
    Layer.launch,
    Effect.raceFirst(uncaughtException)
  )

const check = (flags: Flags) =>
  settings(flags).pipe(
    Effect.flatMap(({ database }) => integrityCheck(database)),
    Effect.flatMap((sentence) => Console.log(sentence))
  )

/** Fails with the reason when a server with these flags could not start, except for a port that is taken. */
const dryRun = (flags: Flags) =>
  Effect.gen(function* () {
    const { database, log } = yield* settings(flags)
    yield* makeDataFolder(database)
    yield* openingCheck(database)
    if (Option.isSome(log)) yield* LogFile.check(log.value, database)
    yield* Console.log(`port-server can start, database ${database}`)
  })

// What this process makes, database, -wal, -shm and logs, is the user's alone, whatever the umask was.
process.umask(0o077)

const portServer = Command.make(
  "port-server",
  {
    summary: "Hand out this machine's ports over HTTP, and never one to two owners",
    details: [
      "It listens on 127.0.0.1 only, and keeps its database, its logs and their folder to its user.",
      "SIGINT and SIGTERM stop it once the requests in flight are answered."
    ],
    examples: ["port-server --db ~/ports.db --range 20000-29999"],
    exitCodes: {
      0: "It was stopped, or the check found nothing wrong",
      1: "It could not run; see stderr"
    },
    parameters: options
  },
  (flags) => {
    if (flags.check) return check(flags)
    return flags.dryRun ? dryRun(flags) : serve(flags)
  }
)

StopDeadline.install()

// A terminal that closes asks for the same stop.
process.on("SIGHUP", () => process.kill(process.pid, "SIGTERM"))

launch(
  {
    root: Command.provide(Layer.mergeAll(NodeFileSystem.layer, NodePath.layer))(portServer),
    version,
    messageOf: sentenceOf,
    printable: escapeControls
  },
  true
)
