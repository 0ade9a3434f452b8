import type { SqlError } from "@effect/sql/SqlError"
import { type ListenersUnavailable, RangeExhausted } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import { Listeners } from "../listeners/Listeners.ts"
import type { ListenerSnapshot } from "../listeners/PortScanner.ts"
import { ServerConfig } from "../ServerConfig.ts"
import { PortBitSet } from "../storage/PortBitSet.ts"
import type { TransactionOps } from "../storage/TransactionOps.ts"

/** Picks ports by one snapshot of the machine's listeners, and fails if that does not cover a port. */
export interface PortPicker {
  /** Whether nothing listens on the port. */
  readonly isAvailable: (port: number) => Effect.Effect<boolean, ListenersUnavailable>
  /** The first port of the range that is free, that nothing listens on, and that is not among the taken. */
  readonly nextFree: (
    write: TransactionOps,
    taken?: PortBitSet
  ) => Effect.Effect<number, ListenersUnavailable | RangeExhausted | SqlError>
}

const noListeners: Pick<ListenerSnapshot, "listens"> = { listens: () => Effect.succeed(false) }

/** Which port a request for any port gets. */
export class PortAllocator extends Effect.Service<PortAllocator>()("@port-server/server/registry/PortAllocator", {
  effect: Effect.gen(function* () {
    const { range, probe } = yield* ServerConfig
    const listeners = yield* Listeners

    const pickerOf = ({ listens }: Pick<ListenerSnapshot, "listens">): PortPicker => ({
      isAvailable: (port) => Effect.map(listens(port), (busy) => !busy),
      nextFree: Effect.fnUntraced(function* (write, taken) {
        for (let skip = taken; ; ) {
          const port = yield* write.freePort(range, skip)
          if (port === undefined) return yield* RangeExhausted.of(range)
          if (!(yield* listens(port))) return port
          skip ??= new PortBitSet()
          skip.add(port)
        }
      })
    })

    return {
      /** Scan the machine, before the write transaction begins. */
      snapshot: Effect.map(probe ? listeners.snapshot : Effect.succeed(noListeners), pickerOf)
    } as const
  }),
  dependencies: [Listeners.Default]
}) {}
