import * as Command from "@port-server/command-line/command/Command"
import type { Terminal } from "@port-server/command-line/terminal/Terminal"
import { NonZeroExit } from "@port-server/command-line/UsageError"
import { serverHost } from "@port-server/domain/Defaults"
import { durationText } from "@port-server/domain/DurationText"
import { type Address, isSocketAddress, ServerAddress } from "@port-server/domain/ServerAddress"
import { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Output from "../../output/Output.ts"
import * as Table from "../../output/Table.ts"
import * as ServerOptions from "../../server/ServerOptions.ts"
import * as ServerProbe from "../../server/ServerProbe.ts"
import { usualAddress } from "../../settings/UsualAddress.ts"
import * as Options from "../Options.ts"

/** The exit status of what does not run, as init scripts have it (LSB 3.1, "Init Script Actions"). */
const down = 3

const columns: ReadonlyArray<Table.Column<readonly [string, string]>> = [
  { heading: "", cell: ([name]) => name, style: "dim" },
  { heading: "", cell: ([, value]) => value }
]

const lines = (address: Address, info: ServerInfo, now: number, terminal: Terminal): string =>
  Table.table(
    columns,
    [
      ["pid", String(info.pid)],
      ...(info.user === undefined ? [] : [["user", info.user] as const]),
      ["version", info.version],
      ["address", String(address)],
      ...(info.socket === undefined ? [] : [["socket", info.socket] as const]),
      ...(info.allow_hosts === undefined ? [] : [["allowed", info.allow_hosts.join(", ")] as const]),
      ["database", info.database],
      ["range", info.probe === false ? `${info.range} (--no-probe)` : info.range],
      ...(info.engine === undefined ? [] : [["engine", info.engine] as const]),
      ["allocations", String(info.allocations ?? "unknown, the database cannot be read")],
      ["uptime", durationText(now - Date.parse(info.started_at))]
    ],
    terminal
  )

/** `portctl status` */
export const status = Command.make(
  "status",
  {
    summary: "Show whether port-server is running, where and since when",
    examples: ["portctl status"],
    exitCodes: {
      0: "It is running",
      1: "Another program listens there, or it has a problem",
      [down]: "It is not running"
    },
    parameters: { port: ServerOptions.port, json: Options.json }
  },
  Effect.fnUntraced(function* ({ json, port }) {
    const usual = yield* usualAddress
    const host = isSocketAddress(usual) ? serverHost : usual.host
    const asked = Option.match(port, { onNone: () => usual, onSome: (port) => new ServerAddress({ host, port }) })
    const { at: address, status } = yield* ServerProbe.locate(asked)
    if (status._tag === "NotRunning") {
      const error = ServerProbe.notRunning(address)
      yield* Console.log(json ? Output.jsonText({ error }) : error)
      return yield* new NonZeroExit({ status: down })
    }
    const now = yield* Clock.currentTimeMillis
    yield* Output.print(ServerInfo, { json })(
      status._tag === "Running" ? Effect.succeed(status.info) : ServerProbe.toError(status, address),
      (info, terminal) => lines(address, info, now, terminal)
    )
  })
)
