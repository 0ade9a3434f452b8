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
const versions = query(Schema.Struct({ data_version: Schema.Int }))

const bad = new PortBitSet(badPorts)

/**
 * The first port of the range in none of the sets, or the first of a block of such; one that browsers refuse to open only
 * when nothing else is left.
 */
export const firstFree = (range: PortRange, taken: ReadonlyArray<PortBitSet>, block?: Block): number | undefined =>
  PortBitSet.firstOutside(range, [bad, ...taken], block) ?? PortBitSet.firstOutside(range, taken, block)

/** Cache of the allocated ports, kept from one transaction to the next as long as no other connection has written. */
export class FreePorts {
  #held: PortBitSet | undefined
  #connection: Connection | undefined
  #version = 0
  #isCurrent = false

  /** A transaction begins on the connection. */
  begin(connection: Connection): void {
    if (connection !== this.#connection) this.invalidate()
    this.#connection = connection
    this.#isCurrent = false
  }

  invalidate(): void {
    this.#held = undefined
  }

  hold(port: number): void {
    this.#held?.add(port)
  }

  free(port: number): void {
    this.#held?.delete(port)
  }

  /** The allocated ports, inside the transaction that has begun. */
  held(connection: Connection): Effect.Effect<PortBitSet, SqlError> {
    return Effect.gen(this, function* () {
      if (this.#held !== undefined && this.#isCurrent) return this.#held
      // Changes exactly when another connection has committed (https://sqlite.org/pragma.html#pragma_data_version).
      const [row] = yield* versions(connection, "PRAGMA data_version")
      const version = row?.data_version ?? 0
      if (this.#held === undefined || version !== this.#version) {
        const held = yield* ports(
          connection,
          // Another program may have stored a value that is no port.
          "SELECT port FROM allocations WHERE port BETWEEN 1 AND 65535 AND typeof(port) = 'integer'"
        )
        this.#held = new PortBitSet(held.map(({ port }) => port))
        this.#version = version
      }
      this.#isCurrent = true
      return this.#held
    })
  }
}
