import type { ListenersUnavailable } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import { ContainerEngine } from "../containers/ContainerEngine.ts"
import type { ContainerView } from "../containers/ContainerView.ts"
import { ServerConfig } from "../ServerConfig.ts"
import * as BindProbe from "./BindProbe.ts"
import { containerInfoOf, infoOf, listeningPorts, nothing } from "./FoundPort.ts"
import * as Lsof from "./Lsof.ts"
import type { PortScanner, PortSockets } from "./PortScanner.ts"
import * as ProcNet from "./ProcNet.ts"
import * as SingleFlight from "./SingleFlight.ts"
import * as WildcardBind from "./WildcardBind.ts"

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
  const { tryBind, whileScanning } = yield* WildcardBind.make
  const linux: Source = { scan: yield* ProcNet.make(whileScanning), tryBind }
  if (yield* ProcNet.isAvailable) return linux
  const other: Source = { scan: yield* (yield* Lsof.isAvailable) ? Lsof.make(range) : BindProbe.make(range) }
  return other
})

const unpublished =
  (isBindable: IsAvailable, { published, reserved }: ContainerView): IsAvailable =>
  (port) =>
    reserved.has(port) || published.has(port) ? Effect.succeed(false) : isBindable(port)

const make = Effect.fnUntraced(function* ({ scan, tryBind }: Source) {
  const { lastKnown, look, recent } = yield* ContainerEngine

  /** The sockets right now. Concurrent callers share one scan. */
  const snapshot = yield* SingleFlight.make(scan)

  /** The containers right now, in the same way; where no engine answers, a caller that asks alone need not wait. */
  const sharedLook = yield* SingleFlight.make(look)
  const containers = Effect.suspend(() => {
    const known = recent()
    return known === undefined ? sharedLook : Effect.succeed(known)
  })

  /** The same, to choose a port by: where an engine does not answer in time, what it said before is likelier than nothing. */
  const reservations = Effect.map(containers, (view) =>
    view.engine.status === "unknown" ? (lastKnown() ?? view) : view
  )

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

  return {
    snapshot,

    /** The containers, and the ports that they publish. */
    containers,

    /**
     * Finds out whether ports can be had: by binding them, or by a snapshot of the sockets where a bind proves nothing. What
     * a container publishes cannot, also while that is stopped.
     */
    availability:
      // Where ports are bound there is nothing to wait for beside it, and two fibers cost more than the rest.
      tryBind === undefined
        ? Effect.zipWith(
            Effect.map(
              snapshot,
              ({ listens }) =>
                (port: number) =>
                  Effect.map(listens(port), (isHeld) => !isHeld)
            ),
            reservations,
            unpublished,
            { concurrent: true }
          )
        : Effect.map(reservations, (view) =>
            unpublished((port) => Effect.map(tryBind(port), (held) => held === "free"), view)
          ),

    /**
     * The sockets on the port; empty if it has none. `listener_error` is why that is unknown.
     *
     * @param isTried whether the port is bound for a moment where no table has it
     */
    at: Effect.fnUntraced(function* (port: number, isTried: boolean) {
      const [sockets, view] = yield* Effect.all([Effect.either(socketsAt(port)), containers], { concurrency: 2 })
      const found = yield* sockets.pipe(
        Effect.flatMap((known) => {
          const info = infoOf(port, known ?? nothing, view)
          return info !== undefined || !isTried
            ? Effect.succeed(info)
            : Effect.map(boundAt(port), (bound) => (bound === undefined ? undefined : infoOf(port, bound, view)))
        }),
        Effect.catchAll(({ message }) => Effect.succeed({ ...infoOf(port, nothing, view), listener_error: message }))
      )
      return { ...found, ...containerInfoOf(port, view, found?.listeners !== undefined) }
    }),

    /** The ports that have a socket, ascending, and the sockets. The candidates may be among them. */
    all: Effect.fnUntraced(function* <E>(candidates: Effect.Effect<Iterable<number>, E>) {
      const [{ ports, sockets }, view] = yield* Effect.all([snapshot, containers], { concurrency: 2 })
      const found = yield* sockets(yield* ports(candidates))
      const all = [...new Set([...found.keys(), ...view.published.keys()])]
      return listeningPorts(
        all.toSorted((one, other) => one - other),
        found,
        view
      )
    }),

    /** What the ports have: their sockets, and the stopped containers that publish them. */
    holding: Effect.fnUntraced(function* (ports: ReadonlyArray<number>) {
      const [{ sockets }, view] = yield* Effect.all([snapshot, containers], { concurrency: 2 })
      const found = yield* sockets(ports)
      return ports.map((port) => {
        const { listeners = [] } = infoOf(port, found.get(port) ?? nothing, view) ?? {}
        return { port, listeners, reserving: view.reserved.get(port) ?? [] }
      })
    }),

    /** Those of the ports that have a socket, and the sockets. */
    on: Effect.fnUntraced(function* (ports: ReadonlyArray<number>) {
      const [{ sockets }, view] = yield* Effect.all([snapshot, containers], { concurrency: 2 })
      const each = [...new Set(ports)]
      return listeningPorts(each, yield* sockets(each), view)
    })
  } as const
})

/** The sockets that hold ports of this machine right now. */
export class Listeners extends Effect.Service<Listeners>()("@port-server/server/listeners/Listeners", {
  scoped: Effect.flatMap(source, make)
}) {}
