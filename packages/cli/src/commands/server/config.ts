import * as Argument from "@port-server/command-line/command/Argument"
import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import * as Parameter from "@port-server/command-line/command/Parameter"
import { suggest } from "@port-server/command-line/command/Suggestion"
import { UsageError } from "@port-server/command-line/UsageError"
import { sentenceOf } from "@port-server/domain/EnvConfig"
import { isServerHost } from "@port-server/domain/Loopback"
import { escapeControls } from "@port-server/domain/Name"
import type { Address, ServerAddress } from "@port-server/domain/ServerAddress"
import { defaultAddress, isSocketAddress } from "@port-server/domain/ServerAddress"
import * as ConfigError from "effect/ConfigError"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { CliError } from "../../errors/CliError.ts"
import * as Output from "../../output/Output.ts"
import * as Table from "../../output/Table.ts"
import { type EffectiveSetting, effectiveSettings, serverAt, shown } from "../../server/EffectiveSettings.ts"
import * as ServerOptions from "../../server/ServerOptions.ts"
import * as ServerProbe from "../../server/ServerProbe.ts"
import { settingsOf } from "../../server/ServerRestart.ts"
import * as ServiceCommand from "../../server/service/ServiceCommand.ts"
import * as SettingsFile from "../../settings/SettingsFile.ts"
import * as SettingsKeys from "../../settings/SettingsKeys.ts"
import * as SettingsUpdate from "../../settings/SettingsUpdate.ts"
import { usualAddress } from "../../settings/UsualAddress.ts"
import * as Options from "../Options.ts"

const Setting = Schema.Struct({
  key: Schema.Literal(...SettingsKeys.keys),
  value: Schema.Union(Schema.String, Schema.Boolean),
  source: Schema.String
})

const noSetting = (word: string): string => {
  const meant = suggest(word, SettingsKeys.keys)
  const hint = meant === undefined ? `use ${Flag.joinWithOr(SettingsKeys.keys)}` : `did you mean ${meant}?`
  return `there is no setting ${JSON.stringify(word)}, ${hint}`
}

const keyArgument = Argument.text({
  name: "KEY",
  description: Flag.joinWithOr(SettingsKeys.keys),
  kind: { _tag: "Choice", words: SettingsKeys.keys }
}).pipe(
  Parameter.withSchema(
    Schema.String.pipe(
      Schema.filter((word): word is SettingsKeys.Key => SettingsKeys.keys.some((key) => key === word), {
        message: ({ actual }) => noSetting(String(actual))
      })
    )
  )
)

/** A variable that cannot be read is an error of the command. */
const explained = <A, E, R>(effect: Effect.Effect<A, E | ConfigError.ConfigError, R>) =>
  Effect.mapError(effect, (error) => (ConfigError.isConfigError(error) ? CliError.make(sentenceOf(error)) : error))

const parameters = { port: ServerOptions.port, json: Options.json }

/** The server that a setting is about; for `address`, which may be another machine's, there is none. */
const serverOf = (key: SettingsKeys.Key, port: ServerOptions.Port) =>
  key === "address" ? Effect.succeed(defaultAddress) : serverAt(port)

const refusePort = (key: SettingsKeys.Key, port: ServerOptions.Port) =>
  key === "address" && Option.isSome(port)
    ? new UsageError({ message: "address is the same for every server: leave out --port" })
    : Effect.void

const one = (key: SettingsKeys.Key, at: ServerAddress) =>
  Effect.flatMap(effectiveSettings(at), (settings) => {
    const found = settings.find((setting) => setting.key === key)
    return found === undefined ? Effect.dieMessage(key) : Effect.succeed(found)
  })

const text = ({ value }: EffectiveSetting): string => escapeControls(String(value))

const columns: ReadonlyArray<Table.Column<EffectiveSetting>> = [
  { heading: "KEY", cell: ({ key }) => key },
  { heading: "VALUE", cell: ({ value }) => String(value) },
  { heading: "FROM", cell: ({ source }) => source, style: "dim" }
]

const list = Command.make(
  "list",
  {
    summary: "Show every setting, and where it comes from",
    examples: ["portctl config list"],
    parameters
  },
  Effect.fnUntraced(function* ({ json, port }) {
    const settings = Effect.flatMap(serverAt(port), effectiveSettings)
    yield* Output.print(Schema.Array(Setting), { json, indent: 2 })(explained(settings), (rows, terminal) =>
      Table.table(columns, rows, terminal)
    )
  })
)

const get = Command.make(
  "get",
  {
    summary: "Print a setting, from the environment, the settings file or the default",
    examples: ["portctl config get range"],
    parameters: { key: keyArgument, ...parameters }
  },
  Effect.fnUntraced(function* ({ json, key, port }) {
    yield* refusePort(key, port)
    const found = Effect.flatMap(serverOf(key, port), (at) => one(key, at))
    yield* Output.print(Setting, { json })(explained(found), text)
  })
)

/** What a change did, and what it did not. */
const changed = (done: string, key: SettingsKeys.Key, at: ServerAddress, now: EffectiveSetting): string => {
  const about = key === "address" ? "" : ` for the server at ${at}, from its next start or restart`
  const isOverridden = /^[A-Z_]+$/.test(now.source)
  return `${done}${about}${isOverridden ? `; ${now.source} is set and overrides it: ${text(now)}` : ""}`
}

/** A server of this user's that stays where portctl no longer looks is noted. @param before where it looked */
const noteLeftServer = Effect.fnUntraced(function* (before: Address) {
  if (isSocketAddress(before) || !isServerHost(before.host) || `${before}` === `${yield* usualAddress}`) return
  const status = yield* ServerProbe.probe(before)
  if (status._tag !== "Running" || status.info.database !== (yield* one("database", before)).value) return
  yield* Console.error(
    `note: the server at ${before} (pid ${status.info.pid}) still runs; PORT_SERVER_ADDR=${before} portctl stop ends it`
  )
})

/** Runs a change of a setting, and notes what a change of the address leaves behind. */
const changing = <A, E, R>(key: SettingsKeys.Key, change: Effect.Effect<A, E, R>) =>
  key === "address" ? Effect.flatMap(usualAddress, (before) => Effect.zipLeft(change, noteLeftServer(before))) : change

const set = Command.make(
  "set",
  {
    summary: "Keep a setting in ~/.port_server/config.json",
    details: [
      "address is where portctl looks for the server. The others are settings of the server at that address, or at --port: database, log and socket are files, allow_hosts are names separated by commas, range is FIRST-LAST, probe is true or false, and engine is where the container engine is: auto, none, unix:///PATH or a Docker context."
    ],
    examples: ["portctl config set range 20000-29999", "portctl config set address 127.0.0.1:4000"],
    parameters: { key: keyArgument, value: Argument.text({ name: "VALUE", description: "Its value" }), ...parameters }
  },
  Effect.fnUntraced(function* ({ json, key, port, value }) {
    yield* refusePort(key, port)
    const change = yield* Either.mapLeft(SettingsKeys.set(key, value), (message) => new UsageError({ message }))
    const setting = Effect.gen(function* () {
      const at = yield* serverOf(key, port)
      yield* SettingsUpdate.update(change(at))
      return { ...(yield* one(key, at)), at }
    })
    const { at } = yield* Output.print(Setting, { json })(explained(changing(key, setting)), ({ at, ...now }) =>
      changed(`set ${now.key} to ${escapeControls(shown(value))}`, now.key, at, now)
    )
    if (key !== "address") yield* ServiceCommand.noteOutdated(at)
  })
)

/** What the server at an address was started with, without what is the default; nothing where none runs. */
const startedWith = (at: ServerAddress) =>
  Effect.map(ServerProbe.probe(at), (status) => (status._tag === "Running" ? settingsOf(at, status.info) : {}))

const unset = Command.make(
  "unset",
  {
    summary: "Remove a setting from ~/.port_server/config.json",
    examples: ["portctl config unset range"],
    parameters: { key: keyArgument, ...parameters }
  },
  Effect.fnUntraced(function* ({ json, key, port }) {
    yield* refusePort(key, port)
    const removal = Effect.gen(function* () {
      const at = yield* serverOf(key, port)
      const wasSet = SettingsKeys.isSet(key, at, yield* SettingsFile.read)
      const runsWith = key === "address" ? {} : yield* startedWith(at)
      if (wasSet) yield* SettingsUpdate.update(SettingsKeys.unset(key, at, runsWith))
      return { ...(yield* one(key, at)), at, wasSet }
    })
    const { at } = yield* Output.print(Setting, { json })(
      explained(changing(key, removal)),
      ({ at, wasSet, ...now }) =>
        wasSet
          ? changed(`removed ${now.key}, now ${escapeControls(shown(now.value))}`, now.key, at, now)
          : `${now.key} is not set`
    )
    if (key !== "address") yield* ServiceCommand.noteOutdated(at)
  })
)

/** `portctl config` */
export const config = Command.group("config", {
  summary: "Show and change the settings in ~/.port_server/config.json",
  examples: ["portctl config list", "portctl config set range 20000-29999"],
  groups: { Commands: [list, get, set, unset].map(Command.loaded) }
})
