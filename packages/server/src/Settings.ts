import { dirname } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import type * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import * as Defaults from "@port-server/domain/Defaults"
import { anyEngine, EngineChoice, engineFromEnv } from "@port-server/domain/EngineChoice"
import { variable } from "@port-server/domain/EnvConfig"
import { PortRange, PortRangeFromText, RequestedPortFromDigits } from "@port-server/domain/Port"
import * as ServerFlags from "@port-server/domain/ServerFlags"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { DatabaseUnusable, dataFolder, defaultDatabase, refuseForeignLink } from "./storage/DatabaseFile.ts"

/** The options of `port-server`. */
export const options = {
  port: Flag.number(
    {
      name: "port",
      placeholder: "PORT",
      description: `Port to listen on (default ${Defaults.serverPort}); 0 for any free one`,
      variable: "PORT_SERVER_PORT"
    },
    RequestedPortFromDigits
  ).pipe(Flag.optional),
  db: Flag.file(ServerFlags.db).pipe(Flag.withSchema(ServerFlags.fileName("the database file")), Flag.optional),
  range: Flag.text(ServerFlags.range).pipe(Flag.withSchema(PortRangeFromText), Flag.optional),
  engine: Flag.text(ServerFlags.engine).pipe(Flag.withSchema(EngineChoice), Flag.optional),
  noProbe: Flag.boolean(ServerFlags.noProbe.name, ServerFlags.noProbe.description),
  log: Flag.file({
    name: "log",
    placeholder: "FILE",
    description: "Log to this file instead of printing; it is rotated at 1 MiB, 3 old ones are kept"
  }).pipe(Flag.withSchema(ServerFlags.fileName("the log file")), Flag.optional),
  check: Flag.boolean("check", "Check that the database is sound, and exit: 0 if so, 1 if not"),
  dryRun: Flag.boolean("dry-run", "Check that it could start, whatever has the port, and exit: 0 if so, 1 if not")
}

/** The command line of `port-server`, parsed. */
export type Flags = Command.Values<typeof options>

const or = <A>(flag: Option.Option<A>, config: Config.Config<A>) =>
  Option.match(flag, { onNone: () => config, onSome: Config.succeed })

/** Make the folder of the default database, for the user alone, when `database` is that one. */
export const makeDataFolder = Effect.fnUntraced(function* (database: string) {
  const fs = yield* FileSystem.FileSystem
  const folder = dataFolder()
  if (folder === undefined || database !== defaultDatabase()) return
  const { uid } = yield* Effect.orElseSucceed(fs.stat(dirname(folder)), () => ({ uid: Option.none<number>() }))
  if (process.getuid?.() === 0 && Option.exists(uid, (uid) => uid !== 0 && String(uid) === process.env["SUDO_UID"])) {
    return yield* new DatabaseUnusable({
      message: `${folder} is in the home of the user who called sudo, and would be root's: use sudo -H, or --db FILE`
    })
  }
  const message = `cannot make the folder ${folder} (is HOME your own folder? or use --db FILE)`
  yield* fs.makeDirectory(folder, { mode: 0o700 }).pipe(
    Effect.catchIf(
      (error) => error._tag === "SystemError" && error.reason === "AlreadyExists",
      () =>
        refuseForeignLink(database, folder).pipe(
          // A link leads to a folder that was not made here: its mode is its owner's choice.
          Effect.zipRight(Effect.isSuccess(fs.readLink(folder))),
          Effect.zip(fs.stat(folder)),
          Effect.flatMap(([isLink, { type }]) =>
            isLink || type !== "Directory" ? Effect.void : fs.chmod(folder, 0o700)
          )
        )
    ),
    Effect.catchTag("SystemError", "BadArgument", () => new DatabaseUnusable({ message }))
  )
})

/** What the command line says, then the environment, then the defaults. */
export const settings = Effect.fnUntraced(function* (flags: Flags) {
  const path = yield* Path.Path
  const port = yield* or(flags.port, variable("PORT_SERVER_PORT", RequestedPortFromDigits, Defaults.serverPort))
  const defaultRange = Schema.decodeSync(PortRange)(Defaults.portRange)
  const range = yield* or(flags.range, variable("PORT_SERVER_RANGE", PortRangeFromText, defaultRange))
  const database = yield* or(flags.db, variable("PORT_SERVER_DB", Schema.String, defaultDatabase() ?? ""))
  if (database === "") {
    return yield* new DatabaseUnusable({
      message: "there is no home folder for the database: set HOME, or use --db FILE"
    })
  }
  const environment = yield* engineFromEnv
  const log = Option.map(flags.log, (file) => path.resolve(file))
  const engine = Option.getOrElse(
    Option.orElse(flags.engine, () => environment),
    () => anyEngine
  )
  return { port, range, database: path.resolve(database), log, probe: !flags.noProbe, engine }
})
