import { Allocation } from "@port-server/domain/Allocation"
import type { AllocationFilter } from "@port-server/domain/AllocationFilter"
import type { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { idleState } from "@port-server/domain/ContainerState"
import { Listener, portSockets, Reservation } from "@port-server/domain/Listener"
import { socketsOf } from "@port-server/domain/ListenerSockets"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { reservedPorts } from "../../client/ReservedPorts.ts"
import { shortName } from "../../output/ContainerFormat.ts"
import { byProcess, listenerName, places } from "../../output/ListenerFormat.ts"
import type * as Table from "../../output/Table.ts"

/** An allocation, and which sockets and stopped containers hold its port. */
export const LiveAllocation = Schema.Struct({
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
  const stopped = reserved === undefined ? [] : [`${shortName(reserved.container)}, ${idleState(reserved.container)}`]
  return [...held, ...stopped].join("; ") || "-"
}

/** Which sockets hold each port. */
export const listening: Table.Column<typeof LiveAllocation.Type> = {
  heading: "LISTENING",
  cell: cellOf,
  style: (allocation) => (allocation.listener === undefined ? "dim" : isForeign(allocation) ? "red" : "green")
}

/** The allocations that match, as they are now. */
export const read = Effect.fnUntraced(function* (client: PortServerClient, selector: AllocationFilter) {
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
