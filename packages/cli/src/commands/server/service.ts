import { resolve } from "node:path"
import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { UsageError } from "@port-server/command-line/UsageError"
import { portRange } from "@port-server/domain/Defaults"
import { variable } from "@port-server/domain/EnvConfig"
import { PortRange, PortRangeFromText } from "@port-server/domain/Port"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { CliError } from "../../errors/CliError.ts"
import * as ServerOptions from "../../server/ServerOptions.ts"
import * as ServerPaths from "../../server/ServerPaths.ts"
import * as ServerProbe from "../../server/ServerProbe.ts"
import * as ServerStart from "../../server/ServerStart.ts"
import { type ServiceManager, serviceManager, typed } from "../../server/service/ServiceManager.ts"
import * as ServiceUnit from "../../server/service/ServiceUnit.ts"
import * as UserService from "../../server/service/UserService.ts"

/** What the environment says where a flag does not: a service is not started from this environment. */
const fromEnvironment = Effect.gen(function* () {
  const database = yield* variable("PORT_SERVER_DB", Schema.String, "")
  const usual = Schema.decodeSync(PortRange)(portRange)
  const range = yield* variable("PORT_SERVER_RANGE", PortRangeFromText, usual)
  return {
    database: database === "" ? Option.none() : Option.some(resolve(database)),
    range: range === usual ? Option.none() : Option.some(range)
  }
})

/** The command line that the service runs. */
const commandOf = Effect.fnUntraced(function* ({ format }: ServiceManager, flags: ServerStart.ServerSpec) {
  const program = yield* ServerPaths.program
  const environment = yield* fromEnvironment
  const database = Option.orElse(flags.database, () => environment.database)
  const range = Option.orElse(flags.range, () => environment.range)
  // Of systemd's services the journal takes what they print.
  const log =
    format === "launchd" ? ["--log", ServerPaths.logFile(ServerPaths.dataFolderPath(), flags.address.port)] : []
  const command = [program, ...ServerStart.toArguments({ ...flags, database, range }), ...log]
  const bad = command.find((word) => !ServiceUnit.isWritable(word))
  if (bad !== undefined) return yield* CliError.make(`a service cannot have ${JSON.stringify(bad)} on its command line`)
  return command
})

const install = Effect.fnUntraced(function* (manager: ServiceManager, flags: ServerStart.ServerSpec, dryRun: boolean) {
  const text = ServiceUnit.unit(manager.format, yield* commandOf(manager, flags))
  if (dryRun) {
    yield* Console.error([`would write ${manager.file} and run:`, ...manager.load.map(typed)].join("\n  "))
    return yield* Console.log(text.trimEnd())
  }
  if (manager.format === "launchd") yield* ServerPaths.dataFolder
  const { database, pid } = yield* UserService.install(manager, text, flags.address)
  yield* Console.log(
    `installed ${manager.name}: port-server runs at ${flags.address} (pid ${pid}), database ${database}, and will with every session; ${manager.file}`
  )
})

const uninstall = Effect.fnUntraced(function* (manager: ServiceManager, dryRun: boolean) {
  if (!UserService.isInstalled(manager)) {
    return yield* Console.log(`${manager.name} is not installed: there is no ${manager.file}`)
  }
  if (dryRun) return yield* Console.log(`would run ${typed(manager.unload)}, and remove ${manager.file}`)
  yield* UserService.uninstall(manager)
  yield* Console.log(`uninstalled ${manager.name}, removed ${manager.file}`)
})

const dryRun = Flag.boolean("dry-run", "Print what would be done, and change nothing")

const format = Flag.choice(
  "format",
  ["systemd", "launchd"],
  "With --dry-run: for which (default: this machine's)"
).pipe(Flag.optional)

const managerOf = Effect.fnUntraced(function* (format: Option.Option<ServiceUnit.Format>, dryRun: boolean) {
  if (Option.isSome(format) && !dryRun) return yield* new UsageError({ message: "--format goes with --dry-run" })
  return serviceManager(Option.getOrUndefined(format))
})

const installCommand = Command.make(
  "install",
  {
    summary: "Have port-server started with your session",
    details: [
      "A systemd user service on Linux, a launchd agent on macOS, started again when it fails. Where it cannot be installed, nothing is left behind."
    ],
    examples: ["portctl service install", "portctl service install --dry-run"],
    parameters: { ...ServerOptions.settings, dryRun, format }
  },
  Effect.fnUntraced(function* ({ db: database, dryRun, format, noProbe, port, range }) {
    const manager = yield* managerOf(format, dryRun)
    const address = yield* ServerProbe.localAddress(port)
    yield* install(manager, { address, database, range, noProbe }, dryRun)
  })
)

const uninstallCommand = Command.make(
  "uninstall",
  {
    summary: "Stop the service, and start port-server with your session no more",
    examples: ["portctl service uninstall"],
    parameters: { dryRun, format }
  },
  Effect.fnUntraced(function* ({ dryRun, format }) {
    yield* uninstall(yield* managerOf(format, dryRun), dryRun)
  })
)

/** `portctl service` */
export const service = Command.group("service", {
  summary: "Have port-server started with your session, or no more",
  examples: ["portctl service install", "portctl service uninstall"],
  groups: { Commands: [installCommand, uninstallCommand].map(Command.loaded) }
})
