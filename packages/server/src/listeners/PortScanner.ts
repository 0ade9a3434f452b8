import type { ListenersUnavailable } from "@port-server/domain/Errors"
import type { Listener } from "@port-server/domain/Listener"
import type * as Effect from "effect/Effect"

/** Who listens on a port, as far as known. */
export interface ListenerInfo {
  readonly listener: Listener
  /** Why less is known than could be: reading failed. Missing permission is no failure. */
  readonly listener_error?: string
}

/** The error of a {@link ListenerInfo} whose owner could not be read. */
export const ownerError = (reason: string) => ({ listener_error: `who listens cannot be read: ${reason}` })

/** Snapshot of the machine's listening sockets. */
export interface ListenerSnapshot {
  /** Whether something listened on the port, on any address, IPv4 or IPv6. */
  readonly listens: (port: number) => Effect.Effect<boolean, ListenersUnavailable>
  /** The local addresses that it listened on, as far as known. */
  readonly addresses: (port: number) => ReadonlyArray<string>
  /** Who listened on each of the ports; a port without a known listener is missing. */
  readonly owners: (ports: ReadonlyArray<number>) => Effect.Effect<ReadonlyMap<number, ListenerInfo>>
  /** The ports that something listened on, ascending. The candidates are probed where no table lists all. */
  readonly ports: (candidates: Iterable<number>) => Effect.Effect<ReadonlyArray<number>, ListenersUnavailable>
}

/** A source of listening sockets. It fails if it cannot read them; an empty snapshot means that nothing listens. */
export type PortScanner = Effect.Effect<ListenerSnapshot, ListenersUnavailable>
