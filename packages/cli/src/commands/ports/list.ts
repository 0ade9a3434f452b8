import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import type { Terminal } from "@port-server/command-line/terminal/Terminal"
import { UsageError } from "@port-server/command-line/UsageError"
import { Allocation, type AllocationFilter } from "@port-server/domain/Allocation"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { Listener, portSockets, Reservation, socketsOf } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { reservedPorts } from "../../client/ReservedPorts.ts"
import * as AllocationTable from "../../output/AllocationTable.ts"
import { shortName } from "../../output/ContainerFormat.ts"
import { byProcess, listenerName, places } from "../../output/ListenerFormat.ts"
import * as Output from "../../output/Output.ts"
import type * as Table from "../../output/Table.ts"
import * as Options from "../Options.ts"
import { watch } from "./ListWatch.ts"

const LiveAllocation = Schema.Struct({
  ...Allocation.fields,
  listener: Schema.optionalWith(Listener, { exact: true }),
  listeners: portSockets,
  reserved: Schema.optionalWith(Reservation, { exact: true })
})

const isForeign = (allocation: typeof LiveAllocation.Type): boolean =>
  socketsOf(allocation).some(({ belongs }) => belongs === "no")

/** Who has a port, as a cell of the table. */
const cellOf = (allocation: typeof LiveAllocation.Type): string => {
  const { reserved } = allocation
  const held = byProcess(socketsOf(allocation)).map((group) => {
    const { belongs, container, state } = group.first
    const name = container === undefined ? listenerName(group.first) : shortName(container)
    const remarks = [...(state === "listening" ? [] : [state]), ...(belongs === "no" ? ["foreign"] : [])].join(", ")
    return `${name} ${places(group)}${remarks === "" ? "" : ` (${remarks})`}`
  })
  const stopped = reserved === undefined ? [] : [`${shortName(reserved.container)}, stopped`]
  return [...held, ...stopped].join("; ") || "-"
}

/** Which sockets hold each port. */
const listening: Table.Column<typeof LiveAllocation.Type> = {
  heading: "LISTENING",
  cell: cellOf,
  style: (allocation) => (allocation.listener === undefined ? "dim" : isForeign(allocation) ? "red" : "green")
}

const live = Effect.fnUntraced(function* (client: PortServerClient, selector: AllocationFilter) {
  const allocations = yield* client.list(selector)
  const [listeners, reservations] = yield* Effect.all([client.listeners(), reservedPorts(client)], { concurrency: 2 })
  const held = new Map(listeners.map((listening) => [listening.port, listening]))
  return allocations.map((allocation): typeof LiveAllocation.Type => {
    const listening = held.get(allocation.port)
    const reserved = listening?.reserved ?? reservations.get(allocation.port)
    return {
      ...allocation,
      ...(listening === undefined ? {} : { listener: listening.listener }),
      ...(listening?.listeners === undefined ? {} : { listeners: listening.listeners }),
      ...(reserved === undefined ? {} : { reserved })
    }
  })
})

/** `portctl list` */
export const list = Command.make(
  "list",
  {
    summary: "List the allocations, all or those that match every filter given",
    examples: ["portctl list --app myapp --live", "portctl list --json"],
    parameters: {
      app: Options.appFilter,
      instance: Options.instanceFilter,
      service: Options.serviceFilter,
      folder: Flag.boolean("folder", "Show the project folders, as on a terminal of 120 columns"),
      live: Flag.boolean("live", "Also show which sockets hold each port"),
      watch: Flag.boolean("watch", "Draw the table again on each change, until interrupted"),
      json: Options.json
    }
  },
  Effect.fnUntraced(function* ({ folder, json, live: isLive, watch: isWatched, ...selector }) {
    const client = yield* PortServerClient
    const allocations = client.list(selector)
    const table = (found: ReadonlyArray<Allocation>, terminal: Terminal) =>
      AllocationTable.table(found, terminal, [], folder)
    const liveAllocations = live(client, selector)
    const liveTable = (found: ReadonlyArray<typeof LiveAllocation.Type>, terminal: Terminal) =>
      AllocationTable.table(found, terminal, [listening], folder)
    if (isWatched) {
      if (json) return yield* new UsageError({ message: "--watch and --json exclude each other" })
      const { app = "", instance = "", service = "" } = selector
      yield* isLive
        ? watch({ app, instance, service }, liveAllocations, liveTable)
        : watch({ app, instance, service, listeners: "false" }, allocations, table)
      return
    }
    if (isLive) {
      yield* Output.print(Schema.Array(LiveAllocation), { json, indent: 2 })(liveAllocations, liveTable)
      return
    }
    yield* Output.print(Schema.Array(Allocation), { json, indent: 2 })(allocations, table)
  })
)
