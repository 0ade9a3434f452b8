import { readFileSync } from "node:fs"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { ServiceNotChanged } from "../../errors/ServerErrors.ts"
import { attempt } from "../../platform/Process.ts"
import * as ServerPaths from "../ServerPaths.ts"
import { noFlags, resolveSpec, type ServerSpec, toArguments } from "../ServerSpec.ts"
import { type ServiceManager, serviceManager } from "./ServiceManager.ts"
import * as ServiceUnit from "./ServiceUnit.ts"

/** What makes an installed service that starts a server otherwise than the settings start it as they do. */
export const renewal = "portctl stop, then portctl service install"

/** The arguments of the server that the service starts. */
const argumentsOf = ({ format }: ServiceManager, { address, effective }: ServerSpec) => {
  // systemd's journal takes what a service prints; launchd has no such thing.
  const log = format === "launchd" ? { log: ServerPaths.defaultLog(address) } : {}
  return toArguments(address, { ...log, ...effective })
}

/** The command line that the service runs. */
export const commandOf = Effect.fnUntraced(function* (manager: ServiceManager, spec: ServerSpec) {
  const command = [yield* ServerPaths.program, ...argumentsOf(manager, spec)]
  const bad = command.find((word) => !ServiceUnit.isWritable(word))
  if (bad !== undefined) {
    return yield* new ServiceNotChanged({
      message: `control characters are not allowed in service arguments: ${JSON.stringify(bad)}`
    })
  }
  return command
})

/** Whether the service that is installed starts the server at an address, and otherwise than the settings have it now. */
export const isOutdated = (manager: ServiceManager, address: ServerAddress) =>
  Effect.map(resolveSpec(address, noFlags), (spec) => {
    const text = attempt(() => readFileSync(manager.file, "utf8")) ?? ""
    const has = (words: ReadonlyArray<string>, end = "") =>
      text.includes(`${ServiceUnit.wordsOf(manager.format, words)}${end}`)
    return has(["--port", String(address.port)]) && !has(argumentsOf(manager, spec), "\n")
  })

/** Note a service that will not start the server at an address as the settings have it now. */
export const noteOutdated = (address: ServerAddress): Effect.Effect<void> =>
  Effect.gen(function* () {
    const manager = yield* Effect.try(() => serviceManager())
    if (!(yield* isOutdated(manager, address))) return
    yield* Console.error(
      `note: ${manager.name} still starts it as before with your next session; to renew it: ${renewal}`
    )
  }).pipe(Effect.ignore)
