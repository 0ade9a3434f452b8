import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { FreePorts } from "./FreePorts.ts"
import { query } from "./Query.ts"

const ports = query(Schema.Struct({ port: Schema.Int }))
const versions = query(Schema.Struct({ data_version: Schema.Int }))

/** {@link FreePorts} of what SQLite holds, kept from one transaction to the next as long as nobody else has written. */
export class FreePortIndex {
  #ports: FreePorts | undefined
  #connection: Connection | undefined
  #version = 0
  #isCurrent = false

  /** A transaction begins on the connection. */
  begin(connection: Connection): void {
    if (connection !== this.#connection) this.forget()
    this.#connection = connection
    this.#isCurrent = false
  }

  /** What was remembered may not be so. */
  forget(): void {
    this.#ports = undefined
  }

  hold(port: number): void {
    this.#ports?.hold(port)
  }

  free(port: number): void {
    this.#ports?.free(port)
  }

  /** What is free now, inside the transaction that has begun. */
  read(connection: Connection): Effect.Effect<FreePorts, SqlError> {
    return Effect.gen(this, function* () {
      if (this.#ports !== undefined && this.#isCurrent) return this.#ports
      // Changes when another connection has committed, and only then (https://sqlite.org/pragma.html#pragma_data_version).
      const [row] = yield* versions(connection, "PRAGMA data_version")
      const version = row?.data_version ?? 0
      if (this.#ports === undefined || version !== this.#version) {
        const held = yield* ports(connection, "SELECT port FROM allocations")
        this.#ports = new FreePorts(held.map(({ port }) => port))
        this.#version = version
      }
      this.#isCurrent = true
      return this.#ports
    })
  }
}
