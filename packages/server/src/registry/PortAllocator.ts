import type { SqlError } from "@effect/sql/SqlError"
import { RangeExhausted } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import { Listeners } from "../listeners/Listeners.ts"
import type { ListenerSnapshot } from "../listeners/PortScanner.ts"
import { ServerConfig } from "../ServerConfig.ts"
import type { Write } from "../storage/AllocationRepository.ts"
import { PortBitSet } from "../storage/PortBitSet.ts"

/** How ports are chosen, as of one look at the machine. */
export interface PortPicker {
  /** Whether nothing listens on the port. */
  readonly accepts: (port: number) => Effect.Effect<boolean>
  /** The first port of the range that is free, that nothing listens on, and that is not among the taken. */
  readonly next: (write: Write, taken?: PortBitSet) => Effect.Effect<number, RangeExhausted | SqlError>
}

const unseen: Pick<ListenerSnapshot, "listens"> = { listens: () => Effect.succeed(false) }

/** The rule by which ports are handed out to those who ask for any. */
export class PortAllocator extends Effect.Service<PortAllocator>()("@port-server/server/registry/PortAllocator", {
  effect: Effect.gen(function* () {
    const { range, probe } = yield* ServerConfig
    const listeners = yield* Listeners

    const choosing = ({ listens }: Pick<ListenerSnapshot, "listens">): PortPicker => ({
      accepts: (port) => Effect.map(listens(port), (busy) => !busy),
      next: Effect.fnUntraced(function* (write, taken) {
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
      /** Look at the machine, before a write begins, and choose by what was seen. */
      look: Effect.map(probe ? listeners.picture : Effect.succeed(unseen), choosing)
    } as const
  }),
  dependencies: [Listeners.Default]
}) {}
