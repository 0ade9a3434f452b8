import { namesOf } from "@port-server/domain/Block"
import { PortSocket } from "@port-server/domain/Listener"
import { escapeControls } from "@port-server/domain/Name"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as OtherMounts from "../client/OtherMounts.ts"
import { isServerElsewhere } from "../client/OtherNetwork.ts"
import { CliError } from "../errors/CliError.ts"
import { instanceLabel } from "./PlaceNotes.ts"
import { socketsOn } from "./PortSockets.ts"
import type { Here } from "./ProjectContext.ts"
import { defaultService, heldPorts, settingsOf } from "./ProjectPorts.ts"

/**
 * Whose the processes on a service's port are: of this working copy; at least one of another one; there are none; or
 * that is not known, as where the server sees the ports of another network than this program's.
 */
const State = Schema.Literal("own", "foreign", "idle", "unknown")

/** A service of a working copy, its port if it has one, and what is on that. */
export const ServiceState = Schema.Struct({
  service: Schema.String,
  port: Schema.optionalWith(Schema.Int, { exact: true }),
  state: State,
  listeners: Schema.Array(PortSocket)
})
/** A service of a working copy, its port if it has one, and what is on that. */
export type ServiceState = typeof ServiceState.Type

/** Whether requests can come in by a socket: one of UDP does not listen. */
const takesRequests = ({ protocol, state }: PortSocket): boolean =>
  state === "listening" || (protocol === "udp" && state === "bound")

const stateOf = (sockets: ReadonlyArray<PortSocket>): ServiceState["state"] => {
  if (sockets.some(({ belongs }) => belongs === "no")) return "foreign"
  if (sockets.some(({ belongs }) => belongs !== "yes")) return "unknown"
  return sockets.some(takesRequests) ? "own" : "idle"
}

/** What is on the ports of services: of those that are named, or of all. Nothing is allocated. */
export const serviceStates = Effect.fnUntraced(function* (here: Here, named: ReadonlyArray<string>) {
  const held = yield* heldPorts(here)
  const ports = new Map(held.allocations.map(({ port, service }) => [service, port] as const))
  const settings = settingsOf(here)
  const portsOf = (service: string) => namesOf(service, settings.get(service))
  const inFile = [...settings.keys()].flatMap(portsOf)
  const known = [...new Set([...inFile, ...ports.keys()])]
  const strange = named.find((service) => !known.includes(service))
  if (strange !== undefined) {
    const others = known.length === 0 ? "" : `, only ${known.map(escapeControls).join(", ")}`
    return yield* CliError.make(`${instanceLabel(held)} has no service ${escapeControls(strange)}${others}`)
  }
  const services = [named.flatMap(portsOf), inFile, known].find(({ length }) => length > 0) ?? [defaultService]
  const sockets = yield* socketsOn(
    here.folder,
    services.flatMap((service) => ports.get(service) ?? [])
  )
  const isElsewhere = yield* isServerElsewhere
  const states = services.map((service): ServiceState => {
    const port = ports.get(service)
    if (port === undefined) return { service, state: "idle", listeners: [] }
    // What is on the host's port says nothing of the one in here.
    if (isElsewhere) return { service, port, state: "unknown", listeners: [] }
    const listeners = sockets.get(port) ?? []
    return { service, port, state: stateOf(listeners), listeners }
  })
  if (!isElsewhere && states.some(({ state }) => state === "unknown")) yield* OtherMounts.note
  return states
})
