import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import type { Block } from "@port-server/domain/Block"
import { badPorts } from "@port-server/domain/Port"
import type { PortRange } from "@port-server/domain/PortRange"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { PortBitSet } from "./PortBitSet.ts"
import { query } from "./Query.ts"

const ports = query(Schema.Struct({ port: Schema.Int }))

const bad = new PortBitSet(badPorts)

/**
 * The first port of the range in none of the sets, or the first of a block of such; one that browsers refuse to open only
 * when nothing else is left.
 */
export const firstFree = (range: PortRange, taken: ReadonlyArray<PortBitSet>, block?: Block): number | undefined =>
  PortBitSet.firstOutside(range, [bad, ...taken], block) ?? PortBitSet.firstOutside(range, taken, block)

/**
 * Cache of the allocated ports, kept from one transaction to the next until it is said to be invalid, and of those that a
 * write found busy, kept for the others of its transaction.
 */
export class FreePorts {
  #held: PortBitSet | undefined
  #busy: PortBitSet | undefined

  /** The database may have changed without this cache. */
  invalidate(): void {
    this.#held = undefined
  }

  /** A transaction begins. */
  begin(): void {
    this.#busy = undefined
  }

  /** Something on this machine holds the port. */
  setBusy(port: number): void {
    this.#busy ??= new PortBitSet()
    this.#busy.add(port)
  }

  /** The ports that were found busy since the transaction began. */
  get busy(): ReadonlyArray<PortBitSet> {
    return this.#busy === undefined ? [] : [this.#busy]
  }

  hold(port: number): void {
    this.#held?.add(port)
  }

  free(port: number): void {
    this.#held?.delete(port)
  }

  /** The allocated ports, inside the transaction that has begun. */
  held(connection: Connection): Effect.Effect<PortBitSet, SqlError> {
    return Effect.suspend(() => {
      if (this.#held !== undefined) return Effect.succeed(this.#held)
      // Another program may have stored a value that is no port.
      const sql = "SELECT port FROM allocations WHERE port BETWEEN 1 AND 65535 AND typeof(port) = 'integer'"
      return Effect.map(ports(connection, sql), (held) => {
        this.#held = new PortBitSet(held.map(({ port }) => port))
        return this.#held
      })
    })
  }
}
