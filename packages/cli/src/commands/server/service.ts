import { resolve } from "node:path"
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { UsageError } from "@port-server/command-line/command/Command"
import { describe } from "@port-server/command-line/command/Description"
import * as Flag from "@port-server/command-line/command/Flag"
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

/** `portctl service` */
export const service = Command.make(
  "service",
  {
    action: Args.text({ name: "install|uninstall" }).pipe(Args.withDescription("What to do with the service")),
    ...ServerOptions.settings,
    dryRun: Flag.boolean("dry-run", "Print what would be installed, and change nothing"),
    format: Flag.choice("format", ["systemd", "launchd"], "With --dry-run: for which (default: this machine's)").pipe(
      Options.optional
    )
  },
  Effect.fnUntraced(function* ({ action, db: database, dryRun, format, noProbe, port, range }) {
    if (action !== "install" && action !== "uninstall") {
      return yield* new UsageError({ message: `service wants install or uninstall, not ${JSON.stringify(action)}` })
    }
    if (Option.isSome(format) && !dryRun) return yield* new UsageError({ message: "--format goes with --dry-run" })
    const manager = serviceManager(Option.getOrUndefined(format))
    if (action === "install") {
      const address = yield* ServerProbe.localAddress(port)
      return yield* install(manager, { address, database, range, noProbe }, dryRun)
    }
    if (Option.isSome(database) || Option.isSome(port) || Option.isSome(range) || noProbe) {
      return yield* new UsageError({ message: "uninstall takes --dry-run and --format only" })
    }
    yield* uninstall(manager, dryRun)
  })
).pipe(
  describe(
    "Have port-server started with your session",
    ["portctl service install", "portctl service install --dry-run", "portctl service uninstall"],
    [
      "A systemd user service on Linux, a launchd agent on macOS, started again when it fails. Where it cannot be installed, nothing is left behind."
    ]
  )
)
