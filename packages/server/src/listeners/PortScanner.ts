import type { Listener } from "@port-server/domain/Listener"
import type * as Effect from "effect/Effect"

/** What listened on this machine's ports at one moment. */
export interface ListenerSnapshot {
  /** Whether something listened on the port, on any address, IPv4 or IPv6. */
  readonly listens: (port: number) => Effect.Effect<boolean>
  /** The local addresses that it listened on, as far as known. */
  readonly addresses: (port: number) => ReadonlyArray<string>
  /** Who listened on each of the ports; whoever cannot be told is not there. */
  readonly owners: (ports: ReadonlyArray<number>) => Effect.Effect<ReadonlyMap<number, Listener>>
  /** The ports that something listened on, in their order; the likely ones are tried where no table tells them all. */
  readonly ports: (likely: Iterable<number>) => Effect.Effect<ReadonlyArray<number>>
}

/** One way to look at the machine: reads what listens now. */
export type PortScanner = Effect.Effect<ListenerSnapshot>
