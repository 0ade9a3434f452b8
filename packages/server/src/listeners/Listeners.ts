import type { Listener, ListeningPort, PortSocket } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import { ServerConfig } from "../ServerConfig.ts"
import * as BindProbe from "./BindProbe.ts"
import * as Lsof from "./Lsof.ts"
import type { PortScanner, PortSockets } from "./PortScanner.ts"
import * as ProcNet from "./ProcNet.ts"
import * as SingleFlight from "./SingleFlight.ts"

/** What is known of a port's sockets; `listener` is the process of the first. */
export interface ListenerInfo extends PortSockets {
  readonly listener: Listener
}

/** The best source on this machine. */
const source = Effect.gen(function* () {
  const { range } = yield* ServerConfig
  if (yield* ProcNet.isAvailable) return yield* ProcNet.make
  if (yield* Lsof.isAvailable) return yield* Lsof.make(range)
  return yield* BindProbe.make(range)
})

const processOf = ({
  address: _address,
  belongs: _belongs,
  protocol: _protocol,
  state: _state,
  ...process
}: PortSocket): Listener => process

const infoOf = (sockets: PortSockets): ListenerInfo => {
  const [first] = sockets.listeners
  return { listener: first === undefined ? {} : processOf(first), ...sockets }
}

const make = Effect.fnUntraced(function* (scan: PortScanner) {
  /** The sockets right now. Concurrent callers share one scan. */
  const snapshot = yield* SingleFlight.make(scan)

  const socketsAt = Effect.fnUntraced(function* (port: number) {
    const found = (yield* (yield* snapshot).sockets([port])).get(port)
    return found === undefined ? {} : infoOf(found)
  })

  return {
    snapshot,

    /** The sockets on the port; empty if it has none. `listener_error` is why that is unknown. */
    at: (port: number): Effect.Effect<Partial<ListenerInfo>> =>
      Effect.catchAll(socketsAt(port), ({ message }) => Effect.succeed({ listener_error: message })),

    /** The ports that have a socket, ascending, and the sockets. The candidates may be among them. */
    all: Effect.fnUntraced(function* (candidates: Iterable<number>) {
      const { ports, sockets } = yield* snapshot
      const found = yield* sockets(yield* ports(candidates))
      return [...found].map(
        ([port, each]): Omit<ListeningPort, "holder"> => ({
          port,
          addresses: [...new Set(each.listeners.flatMap(({ address }) => address ?? []))],
          ...infoOf(each)
        })
      )
    })
  } as const
})

/** The sockets that hold ports of this machine right now. */
export class Listeners extends Effect.Service<Listeners>()("@port-server/server/listeners/Listeners", {
  scoped: Effect.flatMap(source, make)
}) {}
