import type { ListeningPort } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import { ServerConfig } from "../ServerConfig.ts"
import * as BindProbe from "./BindProbe.ts"
import * as Lsof from "./Lsof.ts"
import type { ListenerInfo, PortScanner } from "./PortScanner.ts"
import * as ProcNetTcp from "./ProcNetTcp.ts"
import * as SingleFlight from "./SingleFlight.ts"

/** The best source on this machine. */
const source = Effect.gen(function* () {
  const { range } = yield* ServerConfig
  if (yield* ProcNetTcp.isAvailable) return yield* ProcNetTcp.make
  if (yield* Lsof.isAvailable) return yield* Lsof.make(range)
  return yield* BindProbe.make(range)
})

const make = Effect.fnUntraced(function* (scan: PortScanner) {
  /** What listens right now. Concurrent callers share one scan. */
  const snapshot = yield* SingleFlight.make(scan)

  const listenerAt = Effect.fnUntraced(function* (port: number) {
    const { listens, owners } = yield* snapshot
    if (!(yield* listens(port))) return {}
    const info: ListenerInfo = (yield* owners([port])).get(port) ?? { listener: {} }
    return info
  })

  return {
    snapshot,

    /** Who listens on the port; empty if nothing does. `listener_error` is why that is unknown. */
    at: (port: number): Effect.Effect<Partial<ListenerInfo>> =>
      Effect.catchAll(listenerAt(port), ({ message }) => Effect.succeed({ listener_error: message })),

    /** The ports that something listens on, ascending, and who does. The candidates may be among them. */
    all: Effect.fnUntraced(function* (candidates: Iterable<number>) {
      const { addresses, owners, ports } = yield* snapshot
      const found = yield* ports(candidates)
      const listeners = yield* owners(found)
      return found.map(
        (port): Omit<ListeningPort, "holder"> => ({
          port,
          addresses: addresses(port),
          ...(listeners.get(port) ?? { listener: {} })
        })
      )
    })
  } as const
})

/** What listens on the ports of this machine right now. */
export class Listeners extends Effect.Service<Listeners>()("@port-server/server/listeners/Listeners", {
  scoped: Effect.flatMap(source, make)
}) {}
