import * as Command from "@port-server/command-line/command/Command"
import type { Terminal } from "@port-server/command-line/terminal/Terminal"
import { NonZeroExit } from "@port-server/command-line/UsageError"
import { sentenceOf } from "@port-server/domain/EnvConfig"
import { isServerHost } from "@port-server/domain/Loopback"
import { defaultAddress, isSocketAddress } from "@port-server/domain/ServerAddress"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Check, error } from "../../doctor/Check.ts"
import { composeCheck, engineCheck } from "../../doctor/EngineChecks.ts"
import { machineChecks } from "../../doctor/MachineChecks.ts"
import { programChecks } from "../../doctor/ProgramChecks.ts"
import { serverChecks } from "../../doctor/ServerChecks.ts"
import { settingsChecks } from "../../doctor/SettingsChecks.ts"
import * as Output from "../../output/Output.ts"
import * as Table from "../../output/Table.ts"
import { effectiveSettings } from "../../server/EffectiveSettings.ts"
import { assertOwn } from "../../server/ServerOwner.ts"
import { type Located, locate } from "../../server/ServerProbe.ts"
import { usualAddress } from "../../settings/UsualAddress.ts"
import * as Options from "../Options.ts"

const Report = Schema.Struct({ ok: Schema.Boolean, checks: Schema.Array(Check) })

const styles = { ok: "green", warning: "yellow", error: "red" } as const

type Row = readonly [status: Check["status"] | "", name: string, text: string]

const columns: ReadonlyArray<Table.Column<Row>> = [
  { heading: "", cell: ([status]) => status, style: ([status]) => (status === "" ? "dim" : styles[status]) },
  { heading: "", cell: ([, name]) => name },
  { heading: "", cell: ([, , text]) => text }
]

const rowsOf = ({ message, name, remedy, status }: Check): ReadonlyArray<Row> => [
  [status, name, message],
  ...(remedy === undefined ? [] : [["", "", `to do: ${remedy}`] as const])
]

const table = ({ checks }: typeof Report.Type, terminal: Terminal): string =>
  Table.table(columns, checks.flatMap(rowsOf), terminal)

/** The address of the server that the settings are about. */
const settingsAddress = Effect.map(usualAddress, (usual) => (isSocketAddress(usual) ? defaultAddress : usual))

/** The server that was looked for, if it is one of this user's on this machine, which the settings are about. */
const ownServer = Effect.fnUntraced(function* ({ at, status }: Located) {
  if (status._tag !== "Running" || isSocketAddress(at) || !isServerHost(at.host)) return undefined
  return (yield* Effect.isSuccess(assertOwn(at, status.info))) ? status.info : undefined
})

/** The checks that need valid settings; what is wrong with them is one line. */
const settingsAndServer = Effect.gen(function* () {
  const settings = yield* effectiveSettings(yield* settingsAddress)
  const found = yield* locate(yield* usualAddress)
  return [
    ...settingsChecks(settings, yield* ownServer(found)),
    ...(yield* serverChecks(found, settings)),
    yield* engineCheck(found)
  ]
}).pipe(Effect.catchAll((problem) => Effect.succeed([error("settings", sentenceOf(problem), "correct it")])))

const report = Effect.gen(function* () {
  const checks = [
    ...(yield* programChecks),
    ...(yield* settingsAndServer),
    yield* composeCheck,
    ...(yield* machineChecks(yield* Effect.orElseSucceed(settingsAddress, () => defaultAddress)))
  ]
  return { ok: checks.every(({ status }) => status !== "error"), checks }
})

/** `portctl doctor` */
export const doctor = Command.make(
  "doctor",
  {
    summary: "Check that everything works, and show how to repair what does not",
    details: ["It checks the programs and their Node, the settings, the server and its database, and this machine."],
    examples: ["portctl doctor", "portctl doctor --json"],
    exitCodes: { 0: "All is well, or works with warnings", 1: "Something does not work" },
    parameters: { json: Options.json }
  },
  Effect.fnUntraced(function* ({ json }) {
    const { ok } = yield* Output.print(Report, { json })(report, table)
    if (!ok) return yield* new NonZeroExit({ status: 1 })
  })
)
