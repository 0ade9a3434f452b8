import * as HttpServer from "@effect/platform/HttpServer"
import { sentenceOf } from "@port-server/domain/EnvConfig"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { HttpLive } from "./http/Api.ts"
import * as LoopbackHttpServer from "./http/LoopbackHttpServer.ts"
import { Reachability } from "./http/Reachability.ts"
import { Events } from "./registry/Events.ts"
import { Imports } from "./registry/Imports.ts"
import { Projects } from "./registry/Projects.ts"
import { Prune } from "./registry/Prune.ts"
import { Registry } from "./registry/Registry.ts"
import { WorkingCopies } from "./registry/WorkingCopies.ts"
import * as FreeMemory from "./runtime/FreeMemory.ts"
import * as LogFile from "./runtime/LogFile.ts"
import * as StopDeadline from "./runtime/StopDeadline.ts"
import { uncaughtException } from "./runtime/UncaughtException.ts"
import { ServerConfig } from "./ServerConfig.ts"
import { makeDataFolder } from "./storage/DatabaseFolder.ts"
import { refuseOtherNetwork } from "./storage/OtherNetwork.ts"

/** The one ready line: printed, or the first of the log file. */
const announce = Effect.gen(function* () {
  const { database, log, range } = yield* ServerConfig
  yield* HttpServer.addressFormattedWith((address) => {
    const line = `port-server listening on ${address}, database ${database}, range ${range}`
    return Option.isSome(log) ? Effect.logInfo(line) : Console.log(line)
  })
  StopDeadline.watch(database)
  FreeMemory.whenIdle()
})

const Log = Layer.unwrapEffect(
  Effect.map(ServerConfig, ({ database, log }) =>
    Option.match(log, { onNone: () => Layer.empty, onSome: (file) => LogFile.layer(file, database) })
  )
)

/** A start that fails is in the log, too; on stderr the program reports it. */
const logFailure = (error: unknown) =>
  Effect.flatMap(ServerConfig, ({ log }) => (Option.isSome(log) ? Effect.logError(sentenceOf(error)) : Effect.void))

/** The server, until it is stopped. */
export const serve =
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
        WorkingCopies.Default
      )
    ),
    Layer.provide(Layer.effectDiscard(Effect.flatMap(ServerConfig, ({ database }) => refuseOtherNetwork(database)))),
    Layer.tapError(logFailure),
    Layer.provide(Log),
    Layer.provideMerge(LoopbackHttpServer.layer),
    Layer.provide(Reachability.Default),
    Layer.provide(Layer.effectDiscard(Effect.flatMap(ServerConfig, ({ database }) => makeDataFolder(database)))),
    // Nobody collects the spans of this process; making them costs each request more than its work.
    Layer.provide(Layer.setTracerEnabled(false)),
    Layer.launch,
    Effect.raceFirst(uncaughtException)
  )
