import * as Command from "@port-server/command-line/command/Command"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { idleState } from "@port-server/domain/ContainerState"
import { type Listener, ListeningPort, type PortSocket } from "@port-server/domain/Listener"
import { socketsOf } from "@port-server/domain/ListenerSockets"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { reservedPorts } from "../../client/ReservedPorts.ts"
import { shortName } from "../../output/ContainerFormat.ts"
import { byProcess } from "../../output/ListenerFormat.ts"
import * as Output from "../../output/Output.ts"
import { type Column, table } from "../../output/Table.ts"
import * as Options from "../Options.ts"

/**
 * The ports that are not allocated, also those that only a stopped container publishes; without the sockets of the
 * port-server that reports them and of this program.
 */
const unallocated = Effect.fnUntraced(function* (client: PortServerClient) {
  // The first request: the connections of others would be sockets, too.
  const ports = yield* client.listeners()
  const reserved = yield* reservedPorts(client)
  const own: ReadonlyArray<number | undefined> = [(yield* client.server()).pid, process.pid]
  const held = new Set(ports.map(({ port }) => port))
  const unheld = [...reserved].filter(([port]) => !held.has(port))
  const holders = unheld.length === 0 ? [] : yield* client.list()
  const allocated = new Set(holders.map(({ port }) => port))
  return [
    ...ports.filter((each) => each.holder === undefined && socketsOf(each).some(({ pid }) => !own.includes(pid))),
    ...unheld
      .filter(([port]) => !allocated.has(port))
      .map(([port, reserved]): ListeningPort => ({ port, addresses: [], listener: {}, listeners: [], reserved }))
  ].toSorted((one, other) => one.port - other.port)
})

/** The sockets of one process or container on a port, or the stopped container that publishes it. */
interface Row {
  readonly port: number
  /** How many further ports the row is about. */
  readonly more?: number
  readonly sockets: ReadonlyArray<PortSocket>
  readonly state: string
  readonly listener: Listener
}

const or = (value: string | number | undefined): string => String(value ?? "-")

const commandOf = ({ command, container }: Listener): string =>
  container === undefined ? or(command) : shortName(container)

const joined = ({ sockets }: Row, field: (socket: PortSocket) => string | undefined): string =>
  [...new Set(sockets.flatMap((socket) => field(socket) ?? []))].join(",") || "-"

const columns: ReadonlyArray<Column<Row>> = [
  {
    heading: "PORT",
    cell: ({ more, port }) => (more === undefined ? String(port) : `${port} and ${more} more`),
    style: "cyan"
  },
  { heading: "PROTOCOL", cell: (row) => joined(row, ({ protocol }) => protocol) },
  { heading: "ADDRESS", cell: (row) => joined(row, ({ address }) => address), shorten: "end" },
  { heading: "STATE", cell: ({ state }) => state },
  { heading: "COMMAND", cell: ({ listener }) => commandOf(listener), shorten: "end" },
  { heading: "PID", cell: ({ listener }) => or(listener.pid) },
  { heading: "USER", cell: ({ listener }) => or(listener.user), shorten: "end" },
  {
    heading: "FOLDER",
    cell: ({ listener: { container, cwd } }) => or(container === undefined ? cwd : container.folder),
    style: "dim",
    shorten: "start"
  }
]

const rowsOf = (ports: ReadonlyArray<ListeningPort>): ReadonlyArray<Row> =>
  ports.flatMap(({ port, reserved, ...each }) => [
    ...byProcess(socketsOf(each)).map(({ first, sockets }) => ({ port, sockets, state: first.state, listener: first })),
    ...(reserved === undefined
      ? []
      : [{ port, sockets: [], state: idleState(reserved.container), listener: { container: reserved.container } }])
  ])

/** Most connections of a process that have a row each. */
const mostConnections = 3

/** The rows for a person: one for all connections of a process that has many, as browsers and package managers do. */
const summed = (rows: ReadonlyArray<Row>): ReadonlyArray<Row> => {
  const isConnection = ({ listener, state }: Row) => state === "connected" && listener.pid !== undefined
  const connections = Arr.groupBy(rows.filter(isConnection), ({ listener }) => String(listener.pid))
  return rows.flatMap((row) => {
    const all = isConnection(row) ? (connections[String(row.listener.pid)] ?? []) : []
    if (all.length <= mostConnections) return [row]
    return row === all[0] ? [{ ...row, sockets: all.flatMap(({ sockets }) => sockets), more: all.length - 1 }] : []
  })
}

/** `portctl scan` */
export const scan = Command.make(
  "scan",
  {
    summary: "List what is on ports that are not allocated",
    details: [
      "A socket listens, is bound without listening, as those of UDP are, or is the local end of a connection; a container that is stopped needs its ports to start. A - stands for what cannot be read of another user's process. On a terminal, many connections of a process share a row."
    ],
    examples: ["portctl scan"],
    parameters: { json: Options.json }
  },
  ({ json }) =>
    Effect.flatMap(PortServerClient, (client) =>
      Output.print(Schema.Array(ListeningPort), { json, indent: 2 })(unallocated(client), (listening, terminal) =>
        listening.length === 0
          ? "nothing is on a port that is not allocated"
          : table(columns, terminal.columns === undefined ? rowsOf(listening) : summed(rowsOf(listening)), terminal)
      )
    )
)
