import type { Listener, ListeningPort } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import { ServerConfig } from "../ServerConfig.ts"
import * as BindProbe from "./BindProbe.ts"
import * as Lsof from "./Lsof.ts"
import type { PortScanner } from "./PortScanner.ts"
import * as ProcNetTcp from "./ProcNetTcp.ts"
import * as SingleFlight from "./SingleFlight.ts"

/** The best way to look at this machine that it has. */
const source = Effect.gen(function* () {
  const { range } = yield* ServerConfig
  if (yield* ProcNetTcp.isAvailable) return yield* ProcNetTcp.make
  if (yield* Lsof.isAvailable) return yield* Lsof.make(range)
  return yield* BindProbe.make(range)
})

const make = Effect.fnUntraced(function* (look: PortScanner) {
  /** What listens right now. One picture serves all who ask for it together. */
  const picture = yield* SingleFlight.make(look)

  return {
    picture,

    /** Who listens on the port, as far as known; nothing when nobody does. */
    at: Effect.fnUntraced(function* (port: number) {
      const { listens, owners } = yield* picture
      if (!(yield* listens(port))) return undefined
      const listener: Listener = (yield* owners([port])).get(port) ?? {}
      return listener
    }),

    /** The ports that something listens on, in their order, and who does; `likely` are such as may be among them. */
    all: Effect.fnUntraced(function* (likely: Iterable<number>) {
      const { addresses, owners, ports } = yield* picture
      const found = yield* ports(likely)
      const listeners = yield* owners(found)
      return found.map(
        (port): Omit<ListeningPort, "holder"> => ({
          port,
          addresses: addresses(port),
          listener: listeners.get(port) ?? {}
        })
      )
    })
  } as const
})

/** What listens on the ports of this machine right now. */
export class Listeners extends Effect.Service<Listeners>()("@port-server/server/listeners/Listeners", {
  scoped: Effect.flatMap(source, make)
}) {}
