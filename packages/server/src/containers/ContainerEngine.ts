import type { EngineStatus } from "@port-server/domain/Container"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { ServerConfig } from "../ServerConfig.ts"
import * as ContainerList from "./ContainerList.ts"
import * as ContainerView from "./ContainerView.ts"
import * as EngineApi from "./EngineApi.ts"
import * as EngineSockets from "./EngineSockets.ts"
import * as StoppedContainers from "./StoppedContainers.ts"

/** How long a look may wait for an engine, in ms. */
const patience = 300

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
      const stopped = yield* StoppedContainers.make
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
        // Half of the time: what is known is to be told.
        yield* stopped.learn(
          socket,
          others.map(({ Id }) => Id),
          patience / 2
        )
        return ContainerView.make({ status: "running", kind, socket }, [
          ...running.map((each) => ({
            ...ContainerList.containerOf(each, kind),
            state: "running" as const,
            ports: ContainerList.portsOf(each)
          })),
          ...others.map((each) => ({
            ...ContainerList.containerOf(each, kind),
            state: "stopped" as const,
            ports: stopped.portsOf(each.Id)
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
        return view
      })

      /** What is known when there is no answer in time. */
      const lateView = (socket: string): View => {
        if (latest !== undefined && now() - latest.at <= maxAge) return latest.view
        const error = `${socket}: it does not answer within ${patience} ms`
        return ContainerView.make({ status: "unknown", socket, error }, [])
      }

      const look = Effect.gen(function* () {
        if (remembered !== undefined && now() < remembered.until) return remembered.view
        if (asking === undefined || asking.fiber.unsafePoll() !== null) {
          asking = { fiber: yield* Effect.forkIn(ask, scope), socket: "" }
        }
        const { fiber } = asking
        const answer = yield* Effect.timeoutOption(Fiber.join(fiber), patience)
        if (Option.isSome(answer)) return answer.value
        const view = lateView(asking.socket)
        remembered = { view, until: now() + memory }
        return view
      })

      return {
        /**
         * The containers now, or what was known of them lately by an engine that is slow. For a second after no engine
         * answered in time, what was known then. Never fails.
         */
        look
      } as const
    })
  }
) {}
