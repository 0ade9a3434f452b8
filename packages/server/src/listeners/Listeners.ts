import type { ListenersUnavailable } from "@port-server/domain/Errors"
import type { Listener, ListeningPort, PortSocket } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import { ServerConfig } from "../ServerConfig.ts"
import * as BindProbe from "./BindProbe.ts"
import * as Lsof from "./Lsof.ts"
import type { PortScanner, PortSockets } from "./PortScanner.ts"
import * as ProcNet from "./ProcNet.ts"
import * as SingleFlight from "./SingleFlight.ts"
import * as WildcardBind from "./WildcardBind.ts"

/** What is known of a port's sockets; `listener` is the process of the first. */
export interface ListenerInfo extends PortSockets {
  readonly listener: Listener
}

/** Whether a port can be had. */
export type IsAvailable = (port: number) => Effect.Effect<boolean, ListenersUnavailable>

/** How this machine is read. */
interface Source {
  readonly scan: PortScanner
  /** Whether a port can be bound, where a bind can be relied on. */
  readonly tryBind?: (port: number) => Effect.Effect<WildcardBind.Availability, ListenersUnavailable>
}

/** The best source on this machine. */
const source = Effect.gen(function* () {
  const { range } = yield* ServerConfig
  const linux: Source = { scan: yield* ProcNet.make, tryBind: yield* WildcardBind.make }
  if (yield* ProcNet.isAvailable) return linux
  const other: Source = { scan: yield* (yield* Lsof.isAvailable) ? Lsof.make(range) : BindProbe.make(range) }
  return other
})

const processOf = ({
  address: _address,
  belongs: _belongs,
  project: _project,
  protocol: _protocol,
  state: _state,
  ...process
}: PortSocket): Listener => process

const infoOf = (sockets: PortSockets): ListenerInfo => {
  const [first] = sockets.listeners
  return { listener: first === undefined ? {} : processOf(first), ...sockets }
}

const listeningPorts = (found: ReadonlyMap<number, PortSockets>) =>
  [...found].map(
    ([port, each]): Omit<ListeningPort, "holder"> => ({
      port,
      addresses: [...new Set(each.listeners.flatMap(({ address }) => address ?? []))],
      ...infoOf(each)
    })
  )

const make = Effect.fnUntraced(function* ({ scan, tryBind }: Source) {
  /** The sockets right now. Concurrent callers share one scan. */
  const snapshot = yield* SingleFlight.make(scan)

  const socketsAt = Effect.fnUntraced(function* (port: number) {
    return (yield* (yield* snapshot).sockets([port])).get(port)
  })

  /** What holds a port that is in no table: the tables do not have a socket of TCP that is bound without listening. */
  const boundAt = Effect.fnUntraced(function* (port: number) {
    const held = tryBind === undefined ? "free" : yield* tryBind(port)
    if (held === "free" || held === "forbidden") return undefined
    // It may have begun to listen since the tables were read.
    const bound: PortSockets = { listeners: [{ protocol: held, state: "bound" }] }
    return (yield* socketsAt(port)) ?? bound
  })

  const availability: Effect.Effect<IsAvailable, ListenersUnavailable> =
    tryBind === undefined
      ? Effect.map(
          snapshot,
          ({ listens }) =>
            (port) =>
              Effect.map(listens(port), (isHeld) => !isHeld)
        )
      : Effect.succeed((port) => Effect.map(tryBind(port), (held) => held === "free"))

  return {
    snapshot,

    /** Finds out whether ports can be had: by binding them, or by a snapshot of the sockets where a bind proves nothing. */
    availability,

    /**
     * The sockets on the port; empty if it has none. `listener_error` is why that is unknown.
     *
     * @param isTried whether the port is bound for a moment where no table has it
     */
    at: (port: number, isTried: boolean): Effect.Effect<Partial<ListenerInfo>> =>
      Effect.gen(function* () {
        const found = (yield* socketsAt(port)) ?? (isTried ? yield* boundAt(port) : undefined)
        return found === undefined ? {} : infoOf(found)
      }).pipe(Effect.catchAll(({ message }) => Effect.succeed({ listener_error: message }))),

    /** The ports that have a socket, ascending, and the sockets. The candidates may be among them. */
    all: Effect.fnUntraced(function* <E>(candidates: Effect.Effect<Iterable<number>, E>) {
      const { ports, sockets } = yield* snapshot
      return listeningPorts(yield* sockets(yield* ports(candidates)))
    }),

    /** Those of the ports that have a socket, and the sockets. */
    on: Effect.fnUntraced(function* (ports: ReadonlyArray<number>) {
      const { sockets } = yield* snapshot
      return listeningPorts(yield* sockets([...new Set(ports)]))
    })
  } as const
})

/** The sockets that hold ports of this machine right now. */
export class Listeners extends Effect.Service<Listeners>()("@port-server/server/listeners/Listeners", {
  scoped: Effect.flatMap(source, make)
}) {}
