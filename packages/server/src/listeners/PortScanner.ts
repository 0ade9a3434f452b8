import type { ListenersUnavailable } from "@port-server/domain/Errors"
import type { PortSocket } from "@port-server/domain/Listener"
import type * as Effect from "effect/Effect"
import type { FoundSocket } from "../containers/PublishedPorts.ts"

/** The sockets on a port, as far as known; at least one. */
export interface PortSockets {
  readonly listeners: ReadonlyArray<FoundSocket>
  /** Why less is known than could be: reading failed. Missing permission is no failure. */
  readonly listener_error?: string
}

/** The error of {@link PortSockets} whose owners could not be read. */
export const ownerError = (reason: string) => ({ listener_error: `who listens cannot be read: ${reason}` })

const states: ReadonlyArray<PortSocket["state"]> = ["listening", "bound", "connected"]

/** The most telling socket first: one that listens, one of TCP, one whose process is known. */
export const byImportance = (one: PortSocket, other: PortSocket): number =>
  states.indexOf(one.state) - states.indexOf(other.state) ||
  one.protocol.localeCompare(other.protocol) ||
  Number(one.pid === undefined) - Number(other.pid === undefined)

/** Snapshot of the sockets of the machine that have a local port. */
export interface ListenerSnapshot {
  /** Whether something listened on the port or was bound to it, on any address, IPv4 or IPv6. */
  readonly listens: (port: number) => Effect.Effect<boolean, ListenersUnavailable>
  /** The sockets on each of the ports; a port without one is missing. */
  readonly sockets: (
    ports: ReadonlyArray<number>
  ) => Effect.Effect<ReadonlyMap<number, PortSockets>, ListenersUnavailable>
  /** The ports that have a socket, ascending. The candidates are read and probed where no table lists all. */
  readonly ports: <E>(
    candidates: Effect.Effect<Iterable<number>, E>
  ) => Effect.Effect<ReadonlyArray<number>, ListenersUnavailable | E>
}

/** A source of sockets. It fails if it cannot read them; an empty snapshot means that there are none. */
export type PortScanner = Effect.Effect<ListenerSnapshot, ListenersUnavailable>
