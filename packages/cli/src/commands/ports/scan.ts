import * as Command from "@port-server/command-line/command/Command"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { ListeningPort, type PortSocket, socketsOf } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { byProcess, type ProcessSockets } from "../../output/ListenerFormat.ts"
import * as Output from "../../output/Output.ts"
import { type Column, table } from "../../output/Table.ts"
import * as Options from "../Options.ts"

/** The ports that are not registered, without the sockets of the port-server that reports them and of this program. */
const unregistered = Effect.fnUntraced(function* (client: PortServerClient) {
  const ports = yield* client.listeners()
  const own: ReadonlyArray<number | undefined> = [(yield* client.server()).pid, process.pid]
  return ports.filter((each) => each.holder === undefined && socketsOf(each).some(({ pid }) => !own.includes(pid)))
})

/** The sockets of one process on a port. */
interface Row extends ProcessSockets {
  readonly port: number
}

const or = (value: string | number | undefined): string => String(value ?? "-")

const joined = ({ sockets }: Row, field: (socket: PortSocket) => string | undefined): string =>
  [...new Set(sockets.flatMap((socket) => field(socket) ?? []))].join(",") || "-"

const columns: ReadonlyArray<Column<Row>> = [
  { heading: "PORT", cell: ({ port }) => String(port), style: "cyan" },
  { heading: "PROTOCOL", cell: (row) => joined(row, ({ protocol }) => protocol) },
  { heading: "ADDRESS", cell: (row) => joined(row, ({ address }) => address), shorten: "end" },
  { heading: "STATE", cell: ({ first }) => first.state },
  { heading: "COMMAND", cell: ({ first }) => or(first.command), shorten: "end" },
  { heading: "PID", cell: ({ first }) => or(first.pid) },
  { heading: "USER", cell: ({ first }) => or(first.user), shorten: "end" },
  { heading: "FOLDER", cell: ({ first }) => or(first.cwd), style: "dim", shorten: "start" }
]

const rowsOf = (ports: ReadonlyArray<ListeningPort>): ReadonlyArray<Row> =>
  ports.flatMap((each) => byProcess(socketsOf(each)).map((group) => ({ ...group, port: each.port })))

/** `portctl scan` */
export const scan = Command.make(
  "scan",
  {
    summary: "List the sockets on ports that are not registered",
    details: [
      "A socket listens, is bound without listening, as those of UDP are, or is the local end of a connection. - stands for what cannot be read of another user's process."
    ],
    examples: ["portctl scan"],
    parameters: { json: Options.json }
  },
  ({ json }) =>
    Effect.flatMap(PortServerClient, (client) =>
      Output.print(Schema.Array(ListeningPort), { json, indent: 2 })(unregistered(client), (listening, terminal) =>
        listening.length === 0
          ? "nothing is listening that nobody registered"
          : table(columns, rowsOf(listening), terminal)
      )
    )
)
