import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { UsageError } from "@port-server/command-line/UsageError"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { CliError } from "../../errors/CliError.ts"
import * as DataFolder from "../../platform/DataFolder.ts"
import * as ServerOptions from "../../server/ServerOptions.ts"
import * as ServerProbe from "../../server/ServerProbe.ts"
import { resolveSpec, type ServerSpec } from "../../server/ServerSpec.ts"
import * as StartMemory from "../../server/StartMemory.ts"
import * as ServiceCommand from "../../server/service/ServiceCommand.ts"
import { type ServiceManager, serviceManager, toShell } from "../../server/service/ServiceManager.ts"
import * as ServiceUnit from "../../server/service/ServiceUnit.ts"
import * as UserService from "../../server/service/UserService.ts"

const install = Effect.fnUntraced(function* (manager: ServiceManager, spec: ServerSpec, dryRun: boolean) {
  const { address, effective, given } = spec
  const text = ServiceUnit.unit(manager.format, yield* ServiceCommand.commandOf(manager, spec))
  if (dryRun) {
    yield* Console.error([`would write ${manager.file} and run:`, ...manager.load.map(toShell)].join("\n  "))
    return yield* Console.log(text.trimEnd())
  }
  if (manager.format === "launchd" && effective.log === undefined) {
    yield* Effect.mapError(DataFolder.make, ({ message }) => CliError.make(message))
  }
  const { database, pid } = yield* UserService.install(manager, text, address)
  yield* StartMemory.remember(address, given)
  yield* Console.log(
    `installed ${manager.name}: port-server runs at ${address} (pid ${pid}), database ${database}, and starts with every session; ${manager.file}`
  )
})

const uninstall = Effect.fnUntraced(function* (manager: ServiceManager, dryRun: boolean) {
  if (!UserService.isInstalled(manager)) {
    return yield* Console.log(`${manager.name} is not installed: there is no ${manager.file}`)
  }
  if (dryRun) return yield* Console.log(`would run ${toShell(manager.unload)}, and remove ${manager.file}`)
  yield* UserService.uninstall(manager)
  yield* Console.log(`uninstalled ${manager.name}, removed ${manager.file}`)
})

const dryRun = Flag.boolean("dry-run", "Print what would be done, and change nothing")

const format = Flag.choice(
  "format",
  ["systemd", "launchd"],
  "With --dry-run: the kind of service (default: this machine's)"
).pipe(Flag.optional)

const managerOf = Effect.fnUntraced(function* (format: Option.Option<ServiceUnit.Format>, dryRun: boolean) {
  if (Option.isSome(format) && !dryRun) return yield* new UsageError({ message: "--format needs --dry-run" })
  return serviceManager(Option.getOrUndefined(format))
})

const installCommand = Command.make(
  "install",
  {
    summary: "Start port-server with your session",
    details: [
      "It becomes a systemd user service on Linux or a launchd agent on macOS, which is started again when it fails. If it cannot be installed, nothing is left behind."
    ],
    examples: ["portctl service install", "portctl service install --dry-run"],
    parameters: { ...ServerOptions.settings, dryRun, format }
  },
  Effect.fnUntraced(function* ({ dryRun, format, port, ...settings }) {
    const flags = yield* ServerOptions.toServerFlags(settings)
    const manager = yield* managerOf(format, dryRun)
    const address = yield* ServerProbe.localAddress(port)
    yield* install(manager, yield* resolveSpec(address, flags), dryRun)
  })
)

const uninstallCommand = Command.make(
  "uninstall",
  {
    summary: "Stop the service, and no longer start port-server with your session",
    examples: ["portctl service uninstall"],
    parameters: { dryRun, format }
  },
  Effect.fnUntraced(function* ({ dryRun, format }) {
    yield* uninstall(yield* managerOf(format, dryRun), dryRun)
  })
)

/** `portctl service` */
export const service = Command.group("service", {
  summary: "Start port-server with your session, or no longer",
  examples: ["portctl service install", "portctl service uninstall"],
  groups: { Commands: [installCommand, uninstallCommand].map(Command.loaded) }
})
