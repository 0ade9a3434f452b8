import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { maxListenersPorts, PortSocket, socketsOf } from "@port-server/domain/Listener"
import { escapeControls } from "@port-server/domain/Name"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
import type { Here } from "./ProjectContext.ts"
import { defaultService, heldPorts, instanceLabel, settingsOf } from "./ProjectPorts.ts"

/** The sockets on ports, and whether they belong to the project in a folder, by port. */
export const socketsOn = Effect.fnUntraced(function* (path: string, ports: ReadonlyArray<number>) {
  const client = yield* PortServerClient
  const parts = Chunk.chunksOf(Chunk.fromIterable(ports), maxListenersPorts)
  const found = yield* Effect.forEach(parts, (part) => client.listeners({ path, ports: Chunk.toReadonlyArray(part) }))
  return new Map(found.flat().map((each): [number, ReadonlyArray<PortSocket>] => [each.port, socketsOf(each)]))
})

/**
 * Whose the processes on a service's port are: of this working copy; at least one of another one; there are none; or
 * that is not known.
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
  const inFile = [...settingsOf(here).keys()]
  const known = [...new Set([...inFile, ...ports.keys()])]
  const strange = named.find((service) => !known.includes(service))
  if (strange !== undefined) {
    const others = known.length === 0 ? "" : `, only ${known.map(escapeControls).join(", ")}`
    return yield* CliError.make(`${instanceLabel(held)} has no service ${escapeControls(strange)}${others}`)
  }
  const services = [named, inFile, known].find(({ length }) => length > 0) ?? [defaultService]
  const sockets = yield* socketsOn(
    here.folder,
    services.flatMap((service) => ports.get(service) ?? [])
  )
  return services.map((service): ServiceState => {
    const port = ports.get(service)
    if (port === undefined) return { service, state: "idle", listeners: [] }
    const listeners = sockets.get(port) ?? []
    return { service, port, state: stateOf(listeners), listeners }
  })
})
