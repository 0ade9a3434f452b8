import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { freePorts, listen } from "../../../../test/support/Listening.ts"
import * as ProcNet from "../../src/listeners/ProcNet.ts"
import * as WildcardBind from "../../src/listeners/WildcardBind.ts"
import * as EventLoop from "../../src/runtime/EventLoop.ts"

const isLinux = process.platform === "linux"

const setup = Effect.gen(function* () {
  const { tryBind, whileScanning } = yield* WildcardBind.make
  return { tryBind, scan: yield* ProcNet.make(whileScanning) }
})

it.scopedLive.skipIf(!isLinux)("a scan does not see the sockets of the binds beside it", () =>
  Effect.gen(function* () {
    const { scan, tryBind } = yield* setup
    const port = yield* freePorts(1)
    const tries = Effect.forever(Effect.zipRight(tryBind(port), EventLoop.yieldToIO))
    const trying = yield* Effect.fork(tries)
    for (let round = 0; round < 300; round++) {
      const { sockets } = yield* scan
      expect((yield* sockets([port])).get(port)).toBeUndefined()
    }
    yield* Fiber.interrupt(trying)
  })
)

it.scopedLive.skipIf(!isLinux)("a scan sees what listens, also when a bind is tried beside it", () =>
  Effect.gen(function* () {
    const { scan, tryBind } = yield* setup
    for (const host of ["0.0.0.0", "127.0.0.1"]) {
      const { port } = yield* listen(host)
      const [found, sockets] = yield* Effect.all(
        [tryBind(port), Effect.flatMap(scan, ({ sockets }) => sockets([port]))],
        {
          concurrency: 2
        }
      )
      expect(found).toBe("tcp")
      expect(sockets.get(port)?.listeners).toMatchObject([{ address: host, pid: process.pid }])
    }
  })
)

it.scopedLive.skipIf(!isLinux)("an attempt whose caller is interrupted gives its turn to the next", () =>
  Effect.gen(function* () {
    const { tryBind } = yield* setup
    const port = yield* freePorts(1)
    const [going, waiting] = [yield* Effect.fork(tryBind(port)), yield* Effect.fork(tryBind(port))]
    yield* Effect.yieldNow()
    yield* Fiber.interruptAll([going, waiting])
    expect(yield* tryBind(port)).toBe("free")
    // It has no socket left: the port can be listened on.
    yield* listen("0.0.0.0", port)
    expect(yield* tryBind(port)).toBe("tcp")
  })
)
