import type { EngineStatus } from "@port-server/domain/Container"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as EventLoop from "../runtime/EventLoop.ts"
import { ServerConfig } from "../ServerConfig.ts"
import * as ContainerList from "./ContainerList.ts"
import * as ContainerView from "./ContainerView.ts"
import * as EngineApi from "./EngineApi.ts"
import * as EngineSockets from "./EngineSockets.ts"
import * as PortBindings from "./PortBindings.ts"

/** How long a look may wait for an engine, in ms. */
const patience = 300

/** It is waited in parts: one in which this process was busy with others counts as no longer than it was to be. */
const parts = 10

const outOfPatience = Effect.repeatN(Effect.sleep(patience / parts), parts - 1)

/** How long it is remembered that no engine answered in time, in ms. */
const memory = 1_000

/** How old what an engine said may be while it is slow, in ms. */
const maxAge = 10_000

const strange = new EngineApi.EngineFailed({ reason: "it does not answer as a container engine", isAbsent: false })

type View = ContainerView.ContainerView

/** The container engine of this machine, Docker or Podman. Without one, there are no containers. */
export class ContainerEngine extends Effect.Service<ContainerEngine>()(
  "@port-server/server/containers/ContainerEngine",
  {
    scoped: Effect.gen(function* () {
      const { engine: choice } = yield* ServerConfig
      const scope = yield* Effect.scope
      const sockets = EngineSockets.make(choice)
      const bindings = yield* PortBindings.make
      const clock = yield* Effect.clock
      const now = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
      let asking: { readonly fiber: Fiber.RuntimeFiber<View>; socket: string } | undefined
      let remembered: { readonly view: View; readonly until: number } | undefined
      let latest: { readonly view: View; readonly at: number } | undefined

      const viewAt = Effect.fnUntraced(function* (socket: string) {
        const { body, kind } = yield* EngineApi.get(socket, "/containers/json?all=1")
        const listed = yield* Effect.mapError(ContainerList.decode(body), () => strange)
        const [running, others] = [
          listed.filter(ContainerList.isRunning),
          listed.filter((each) => !ContainerList.isRunning(each))
        ]
        // The list has no ports of stopped containers, and Podman's has of a range only the first.
        const asked = kind === "podman" ? listed : others
        // Half of the time, so that what is known can still be returned.
        const untold = yield* bindings.learn(
          socket,
          asked.map(({ Id }) => Id),
          patience / 2
        )
        const portsOf = (each: (typeof listed)[number]) => {
          const [found, known] = [ContainerList.portsOf(each), bindings.portsOf(each.Id)]
          return known.length > found.length ? known : found
        }
        const error = `${socket}: it has not told the ports of ${untold} of its containers`
        return ContainerView.make({ status: "running", kind, socket, ...(untold === 0 ? {} : { error }) }, [
          ...running.map((each) => ({
            ...ContainerList.containerOf(each, kind),
            state: "running" as const,
            ports: portsOf(each)
          })),
          ...others.map((each) => ({
            ...ContainerList.containerOf(each, kind),
            state: "stopped" as const,
            ports: bindings.portsOf(each.Id)
          }))
        ])
      })

      /** Ask the first engine that answers. */
      const ask = Effect.gen(function* () {
        let status: EngineStatus = { status: "none" }
        for (const socket of yield* sockets) {
          if (asking !== undefined) asking.socket = socket
          const answer = yield* Effect.either(viewAt(socket))
          if (answer._tag === "Right") {
            latest = { view: answer.right, at: now() }
            return answer.right
          }
          const { isAbsent, reason } = answer.left
          if (!isAbsent && status.status === "none") {
            status = { status: "unknown", socket, error: `${socket}: ${reason}` }
          }
        }
        const view = ContainerView.make(status, [])
        remembered = { view, until: now() + memory }
        if (status.status === "none") latest = { view, at: now() }
        return view
      })

      /** What is known when there is no answer in time. */
      const lateView = (socket: string): View => {
        if (latest !== undefined && now() - latest.at <= maxAge) return latest.view
        if (socket === "") {
          const error = `it took more than ${patience} ms to look for the socket of a container engine`
          return ContainerView.make({ status: "unknown", error }, [])
        }
        const error = `${socket}: it does not answer within ${patience} ms`
        return ContainerView.make({ status: "unknown", socket, error }, [])
      }

      const recent = () => (remembered !== undefined && now() < remembered.until ? remembered.view : undefined)

      const look = Effect.gen(function* () {
        const known = recent()
        if (known !== undefined) return known
        if (asking === undefined || asking.fiber.unsafePoll() !== null) {
          asking = { fiber: yield* Effect.forkIn(ask, scope), socket: "" }
        }
        const { fiber } = asking
        const answer = yield* Effect.raceFirst(
          Effect.asSome(Fiber.join(fiber)),
          Effect.as(outOfPatience, Option.none())
        )
        if (Option.isSome(answer)) return answer.value
        // When it was this process that was slow, its timers come before what it has received.
        yield* EventLoop.yieldToIO
        const received = fiber.unsafePoll()
        if (received !== null && Exit.isSuccess(received)) return received.value
        const view = lateView(asking.socket)
        remembered = { view, until: now() + memory }
        return view
      })

      return {
        /** What is remembered for a second after no engine answered in time. */
        recent,

        /** What an engine, or that there is none, was last known to say, however long ago. */
        lastKnown: () => latest?.view,

        /**
         * The containers now, or what was known of them lately by an engine that is slow. For a second after no engine
         * answered in time, what was known then. Never fails.
         */
        look
      } as const
    })
  }
) {}
