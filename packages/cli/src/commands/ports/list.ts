import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import * as Terminal from "@port-server/command-line/terminal/Terminal"
import { UsageError } from "@port-server/command-line/UsageError"
import { Allocation, type AllocationFilter } from "@port-server/domain/Allocation"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { Listener, portSockets, Reservation, socketsOf } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { follow } from "../../client/EventFollower.ts"
import { reservedPorts } from "../../client/ReservedPorts.ts"
import * as AllocationTable from "../../output/AllocationTable.ts"
import { shortName } from "../../output/ContainerFormat.ts"
import { byProcess, listenerName, places } from "../../output/ListenerFormat.ts"
import * as Output from "../../output/Output.ts"
import { outputGone } from "../../output/OutputGone.ts"
import * as Screen from "../../output/Screen.ts"
import type * as Table from "../../output/Table.ts"
import * as Options from "../Options.ts"

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

/** What of the allocations is shown. */
interface Shown {
  readonly folder: boolean
  readonly isLive: boolean
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

/** The allocations that match, and their table; with what listens on them or without. */
const shown = (client: PortServerClient, selector: AllocationFilter, { folder, isLive }: Shown) =>
  isLive
    ? Effect.map(
        live(client, selector),
        (allocations) => (terminal: Terminal.Terminal) =>
          AllocationTable.table(allocations, terminal, [listening], folder)
      )
    : Effect.map(
        client.list(selector),
        (allocations) => (terminal: Terminal.Terminal) => AllocationTable.table(allocations, terminal, [], folder)
      )

/** Draw the table anew whenever something in it has changed, until it is interrupted. */
const watch = (screen: Screen.Screen, client: PortServerClient, selector: AllocationFilter, options: Shown) => {
  const draw = Effect.flatMap(shown(client, selector, options), (table) =>
    Effect.flatMap(Terminal.stdout, (terminal) => screen.draw(table(terminal)))
  )
  const { app = "", instance = "", service = "" } = selector
  const changes = follow({ app, instance, service, ...(options.isLive ? {} : { listeners: "false" }) })
  return Stream.merge(changes, screen.resized).pipe(
    Stream.buffer({ capacity: 1, strategy: "sliding" }),
    // While the server is away the table stays; the stream comes back with it.
    Stream.runForEach(() => Effect.catchTag(draw, "ServerUnreachable", () => Effect.void)),
    Effect.raceFirst(outputGone),
    Output.toCliError
  )
}

const noScreen = "--watch needs a terminal; portctl log --follow prints what changes, line by line"

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
      live: Flag.boolean("live", "Show also which sockets hold each port"),
      watch: Flag.boolean("watch", "Draw the table anew on each change, until it is interrupted"),
      json: Options.json
    }
  },
  Effect.fnUntraced(function* ({ folder, json, live: isLive, watch: isWatched, ...selector }) {
    const client = yield* PortServerClient
    if (isWatched) {
      if (json) return yield* new UsageError({ message: "--watch and --json exclude each other" })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const screen = yield* Screen.open
          if (screen === undefined) return yield* new UsageError({ message: noScreen })
          return yield* watch(screen, client, selector, { folder, isLive })
        })
      )
      return
    }
    if (isLive) {
      yield* Output.print(Schema.Array(LiveAllocation), { json, indent: 2 })(
        live(client, selector),
        (allocations, terminal) => AllocationTable.table(allocations, terminal, [listening], folder)
      )
      return
    }
    yield* Output.print(Schema.Array(Allocation), { json, indent: 2 })(client.list(selector), (allocations, terminal) =>
      AllocationTable.table(allocations, terminal, [], folder)
    )
  })
)
