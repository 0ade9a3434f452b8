import { expect, it } from "@effect/vitest"
import { serverPort } from "@port-server/domain/Defaults"
import { PortRangeFromText } from "@port-server/domain/PortRange"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { fakeEngine } from "../../../../test/support/FakeEngine.ts"
import { ContainerEngine } from "../../src/containers/ContainerEngine.ts"
import { ServerConfig } from "../../src/ServerConfig.ts"

const configOf = (engine: string) =>
  ServerConfig.of({
    allowHosts: [],
    database: "/nowhere/ports.db",
    engine,
    log: Option.none(),
    port: serverPort,
    probe: true,
    range: Schema.decodeSync(PortRangeFromText)("3000-9999"),
    socket: "/nowhere/ports.db.sock"
  })

/** Keep this process from all else for a while in each turn of its event loop. */
const busy = Effect.acquireRelease(
  Effect.sync(() => {
    const state = { isOver: false }
    const work = () => {
      const end = performance.now() + 200
      while (performance.now() < end);
      if (!state.isOver) setImmediate(work)
    }
    setImmediate(work)
    return state
  }),
  (state) =>
    Effect.sync(() => {
      state.isOver = true
    })
)

it.scopedLive("an engine that answers at once is known although this process is slow to hear it", () =>
  Effect.gen(function* () {
    const socket = yield* fakeEngine([{ folder: "/shop", name: "shop-web-1", port: 8080 }])
    yield* busy
    const { containers, engine } = yield* Effect.flatMap(ContainerEngine, ({ look }) => look).pipe(
      Effect.provide(ContainerEngine.Default),
      Effect.provideService(ServerConfig, configOf(socket))
    )
    expect(engine.status).toBe("running")
    expect(containers).toMatchObject([{ name: "shop-web-1" }])
  })
)
