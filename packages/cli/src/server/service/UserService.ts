import { existsSync, readFileSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { cannotWrite } from "../../errors/FileError.ts"
import { ServiceNotChanged } from "../../errors/ServerErrors.ts"
import * as AtomicFile from "../../platform/AtomicFile.ts"
import * as CallerOwned from "../../platform/CallerOwned.ts"
import { withServerLock } from "../ServerLock.ts"
import * as ServerProbe from "../ServerProbe.ts"
import { exec, type ServiceManager } from "./ServiceManager.ts"

/** How long the service may take until it is healthy. */
const patience = "10 seconds"

const failed = (message: string) => new ServiceNotChanged({ message })

const write = (file: string, text: string) =>
  Effect.try({
    try: () => {
      CallerOwned.makeFolder(dirname(file))
      AtomicFile.writeOwn(file, Buffer.from(text))
    },
    catch: (error) => failed(cannotWrite(file, error))
  })

const removeFile = (file: string) =>
  Effect.try({ try: () => rmSync(file, { force: true }), catch: () => failed(`cannot remove ${file}`) })

const execAll = (commands: ServiceManager["load"]) => Effect.forEach(commands, exec, { discard: true })

/** Whether there is a service to uninstall. */
export const isInstalled = ({ file }: ServiceManager): boolean => existsSync(file)

/** Stop the service and remove it. launchd fails for a service that is not loaded. */
const remove = (manager: ServiceManager) =>
  (manager.format === "launchd" ? Effect.ignore(exec(manager.unload)) : exec(manager.unload)).pipe(
    Effect.zipRight(removeFile(manager.file)),
    Effect.zipRight(execAll(manager.reload))
  )

const healthy = (address: ServerAddress, manager: ServiceManager): Effect.Effect<ServerInfo, ServiceNotChanged> =>
  ServerProbe.probe(address).pipe(
    Effect.repeat({ until: ({ _tag }) => _tag === "Running", schedule: Schedule.spaced("50 millis") }),
    Effect.zipRight(ServerProbe.probe(address)),
    Effect.flatMap((status) =>
      status._tag === "Running" ? Effect.succeed(status.info) : failed("it did not stay up")
    ),
    Effect.timeoutFail({
      duration: patience,
      onTimeout: () =>
        failed(`the service is not healthy after ${patience} (${manager.logsLocation(address)} tells more)`)
    })
  )

/** Start the service now and with every session; where that fails, everything is as it was. */
export const install = Effect.fnUntraced(
  function* (manager: ServiceManager, text: string, address: ServerAddress) {
    yield* Effect.try({
      try: () => AtomicFile.ownTarget(manager.file),
      catch: (error) => failed(cannotWrite(manager.file, error))
    })
    yield* exec(manager.check)
    const before = isInstalled(manager) ? readFileSync(manager.file, "utf8") : undefined
    const restore =
      before === undefined
        ? Effect.void
        : Effect.zipRight(write(manager.file, before), execAll(manager.load)).pipe(Effect.ignore)
    if (before !== undefined) yield* remove(manager)
    return yield* Effect.gen(function* () {
      const status = yield* ServerProbe.probe(address)
      if (status._tag === "Running") {
        return yield* failed(
          `port-server is already running at ${address} (pid ${status.info.pid}), and not as this service: run portctl stop first`
        )
      }
      if (status._tag !== "NotRunning") return yield* ServerProbe.toError(status, address)
      return yield* Effect.gen(function* () {
        yield* write(manager.file, text)
        yield* execAll(manager.load)
        return yield* healthy(address, manager)
      }).pipe(
        Effect.tapErrorCause(() =>
          Effect.zipRight(Effect.ignore(exec(manager.unload)), Effect.ignore(remove(manager)))
        ),
        Effect.tapErrorCause(() => Effect.ignore(removeFile(manager.file))),
        Effect.mapError(({ message }) => failed(`${message}; nothing was installed`))
      )
    }).pipe(Effect.tapErrorCause(() => restore))
  },
  (work, _manager, _text, address) => withServerLock(address)(work)
)

/** Stop the service and remove it. */
export const uninstall = (manager: ServiceManager): Effect.Effect<void, ServiceNotChanged> =>
  Effect.zipRight(exec(manager.check), remove(manager))
