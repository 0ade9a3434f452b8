import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { CliError } from "../../errors/CliError.ts"
import * as ServerProbe from "../ServerProbe.ts"
import { perform, type ServiceManager } from "./ServiceManager.ts"

/** How long the service may take until it is healthy. */
const patience = "10 seconds"

const write = (file: string, text: string) =>
  Effect.try({
    try: () => {
      mkdirSync(dirname(file), { recursive: true })
      const temporary = `${file}.${process.pid}`
      writeFileSync(temporary, text, { mode: 0o600 })
      renameSync(temporary, file)
    },
    catch: () => CliError.make(`cannot write ${file}`)
  })

const remove = (file: string) =>
  Effect.try({ try: () => rmSync(file, { force: true }), catch: () => CliError.make(`cannot remove ${file}`) })

const performAll = (commands: ServiceManager["load"]) => Effect.forEach(commands, perform, { discard: true })

/** Whether there is a service to uninstall. */
export const isInstalled = ({ file }: ServiceManager): boolean => existsSync(file)

/** Stop the service and forget it; one that launchd does not know is none to stop. */
const takeAway = (manager: ServiceManager) =>
  (manager.format === "launchd" ? Effect.ignore(perform(manager.unload)) : perform(manager.unload)).pipe(
    Effect.zipRight(remove(manager.file)),
    Effect.zipRight(performAll(manager.forget))
  )

const healthy = (address: ServerAddress, manager: ServiceManager): Effect.Effect<ServerInfo, CliError> =>
  ServerProbe.look(address).pipe(
    Effect.repeat({ until: ({ _tag }) => _tag === "Running", schedule: Schedule.spaced("50 millis") }),
    Effect.zipRight(ServerProbe.look(address)),
    Effect.flatMap((standing) =>
      standing._tag === "Running" ? Effect.succeed(standing.info) : CliError.make("it did not stay up")
    ),
    Effect.timeoutFail({
      duration: patience,
      onTimeout: () =>
        CliError.make(`the service is not healthy after ${patience} (${manager.says(address.port)} tells more)`)
    })
  )

/** Have the service started now and with every session; where that fails, everything is as it was. */
export const install = Effect.fnUntraced(function* (manager: ServiceManager, text: string, address: ServerAddress) {
  yield* perform(manager.check)
  const before = isInstalled(manager) ? readFileSync(manager.file, "utf8") : undefined
  const restore =
    before === undefined
      ? Effect.void
      : Effect.zipRight(write(manager.file, before), performAll(manager.load)).pipe(Effect.ignore)
  if (before !== undefined) yield* takeAway(manager)
  return yield* Effect.gen(function* () {
    const standing = yield* ServerProbe.look(address)
    if (standing._tag === "Running") {
      return yield* CliError.make(
        `port-server is already running at ${address} (pid ${standing.info.pid}), and not as this service: run portctl stop first`
      )
    }
    if (standing._tag !== "Down") return yield* ServerProbe.refusal(standing, address)
    return yield* Effect.gen(function* () {
      yield* write(manager.file, text)
      yield* performAll(manager.load)
      return yield* healthy(address, manager)
    }).pipe(
      Effect.tapErrorCause(() =>
        Effect.zipRight(Effect.ignore(perform(manager.unload)), Effect.ignore(takeAway(manager)))
      ),
      Effect.tapErrorCause(() => Effect.ignore(remove(manager.file))),
      Effect.mapError(({ message }) => CliError.make(`${message}; nothing was installed`))
    )
  }).pipe(Effect.tapErrorCause(() => restore))
})

/** Stop the service and remove it. */
export const uninstall = (manager: ServiceManager): Effect.Effect<void, CliError> =>
  Effect.zipRight(perform(manager.check), takeAway(manager))
