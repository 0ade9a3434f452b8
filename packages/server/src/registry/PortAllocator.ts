import type { SqlError } from "@effect/sql/SqlError"
import { type Block, portsFrom } from "@port-server/domain/Block"
import { type ListenersUnavailable, RangeExhausted } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import { type IsAvailable, Listeners } from "../listeners/Listeners.ts"
import { ServerConfig } from "../ServerConfig.ts"
import type { PortBitSet } from "../storage/PortBitSet.ts"
import type { TransactionOps } from "../storage/TransactionOps.ts"

/** Picks ports that can be had on this machine; fails if it cannot be found out whether a port can. */
export interface PortPicker {
  /** Whether nothing holds the port. */
  readonly isAvailable: IsAvailable
  /** The first port of the range that is free, that nothing holds, and that is not among the taken; or of a block of such. */
  readonly nextFree: (
    write: TransactionOps,
    taken?: PortBitSet,
    block?: Block
  ) => Effect.Effect<number, ListenersUnavailable | RangeExhausted | SqlError>
}

/** The first of the ports that something holds. */
const firstBusy = Effect.fnUntraced(function* (isAvailable: IsAvailable, ports: ReadonlyArray<number>) {
  for (const port of ports) if (!(yield* isAvailable(port))) return port
  return undefined
})

/** Which port a request for any port gets. */
export class PortAllocator extends Effect.Service<PortAllocator>()("@port-server/server/registry/PortAllocator", {
  effect: Effect.gen(function* () {
    const { range, probe } = yield* ServerConfig
    const listeners = yield* Listeners

    const pickerOf = (isAvailable: IsAvailable): PortPicker => ({
      isAvailable,
      nextFree: Effect.fnUntraced(function* (write, taken, block = {}) {
        for (;;) {
          const first = yield* write.freePort(range, taken, block)
          if (first === undefined) return yield* RangeExhausted.of(range, block)
          const busy = yield* firstBusy(isAvailable, portsFrom(first, block))
          if (busy === undefined) return first
          write.setBusy(busy)
        }
      })
    })

    const unprobed: Effect.Effect<IsAvailable> = Effect.succeed(() => Effect.succeed(true))

    return {
      /** What is to be done before the write transaction begins. */
      picker: Effect.map(probe ? listeners.availability : unprobed, pickerOf)
    } as const
  })
}) {}
