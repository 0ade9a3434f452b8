import * as Etag from "@effect/platform/Etag"
import * as HttpPlatform from "@effect/platform/HttpPlatform"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import { sentenceOf } from "@port-server/domain/EnvConfig"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { ContainerEngine } from "./containers/ContainerEngine.ts"
import { FolderProbe } from "./folders/FolderProbe.ts"
import { HttpLive } from "./http/Api.ts"
import { EventStream } from "./http/EventStream.ts"
import { LargeRequests } from "./http/LargeRequests.ts"
import { LongLists } from "./http/LongLists.ts"
import * as LoopbackHttpServer from "./http/LoopbackHttpServer.ts"
import { PendingBytes } from "./http/PendingBytes.ts"
import { Reachability } from "./http/Reachability.ts"
import { Listeners } from "./listeners/Listeners.ts"
import { EnsuredFolders } from "./registry/EnsuredFolders.ts"
import { Events } from "./registry/Events.ts"
import { Imports } from "./registry/Imports.ts"
import { ListenerChanges } from "./registry/ListenerChanges.ts"
import { MovedFolders } from "./registry/MovedFolders.ts"
import { MovedWorktrees } from "./registry/MovedWorktrees.ts"
import { OwnPorts } from "./registry/OwnPorts.ts"
import { PortAllocator } from "./registry/PortAllocator.ts"
import { Projects } from "./registry/Projects.ts"
import { Prune } from "./registry/Prune.ts"
import { Registry } from "./registry/Registry.ts"
import { SocketProjects } from "./registry/SocketProjects.ts"
import { WorkingCopies } from "./registry/WorkingCopies.ts"
import * as FreeMemory from "./runtime/FreeMemory.ts"
import * as LogFile from "./runtime/LogFile.ts"
import * as StopDeadline from "./runtime/StopDeadline.ts"
import { uncaughtException } from "./runtime/UncaughtException.ts"
import { ServerConfig } from "./ServerConfig.ts"
import { AllocationRepository } from "./storage/AllocationRepository.ts"
import { Database } from "./storage/Database.ts"
import { makeDataFolder } from "./storage/DatabaseFolder.ts"
import { EventRepository } from "./storage/EventRepository.ts"
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

// Each line below has what the later ones give, which are built first and ended last: a port that is taken is found
// before the log and the database are touched, and requests in flight still have the database. One line for each service:
// in a tree of layers that name what they depend on, each takes a start 200 steps of Effect more.

const http = announce.pipe(
  Effect.zipRight(Effect.never),
  Effect.provide(HttpLive),
  // The router would take a longer path parameter for an unknown path; which ones are valid is up to the schema.
  HttpRouter.withRouterConfig({ maxParamLength: Number.POSITIVE_INFINITY }),
  Effect.provide(HttpPlatform.layer),
  Effect.provide(Etag.layerWeak),
  Effect.provide(EventStream.Default),
  Effect.provide(LongLists.Default),
  Effect.provide(LargeRequests.Default)
)

const registry = http.pipe(
  Effect.provide(Events.Default),
  Effect.provide(ListenerChanges.Default),
  Effect.provide(Imports.Default),
  Effect.provide(Prune.Default),
  Effect.provide(Projects.Default),
  Effect.provide(OwnPorts.Default),
  Effect.provide(Registry.Default),
  Effect.provide(PortAllocator.Default),
  Effect.provide(SocketProjects.Default),
  Effect.provide(Listeners.Default),
  Effect.provide(ContainerEngine.Default),
  Effect.provide(WorkingCopies.Default),
  Effect.provide(EnsuredFolders.Default),
  Effect.provide(MovedFolders.Default),
  Effect.provide(MovedWorktrees.Default),
  Effect.provide(FolderProbe.Default),
  Effect.provide(EventRepository.Default),
  Effect.provide(AllocationRepository.Default),
  Effect.provide(Database.Default)
)

/** The server, until it is stopped. */
export const serve = Effect.flatMap(ServerConfig, ({ database }) =>
  refuseOtherNetwork(database).pipe(
    Effect.zipRight(registry),
    Effect.tapError(logFailure),
    Effect.provide(Log),
    Effect.provide(LoopbackHttpServer.layer),
    Effect.provide(PendingBytes.Default),
    Effect.provide(Reachability.Default),
    (server) => Effect.zipRight(makeDataFolder(database), server),
    // Nobody collects the spans of this process; making them costs each request more than its work.
    Effect.withTracerEnabled(false),
    Effect.raceFirst(uncaughtException)
  )
)
