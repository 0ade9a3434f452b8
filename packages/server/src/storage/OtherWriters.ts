import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import type { StorageUnavailable } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import * as Migrations from "./Migrations.ts"

/** Notices when another program has written to the database, so that what is remembered of it holds until then. */
export class OtherWriters {
  #connection: Connection | undefined
  #version: unknown
  readonly #onWrite: () => void

  constructor(onWrite: () => void) {
    this.#onWrite = onWrite
  }

  /** A transaction begins on the connection. Fails if another port-server has migrated the database. */
  verify(connection: Connection): Effect.Effect<void, SqlError | StorageUnavailable> {
    // Changes exactly when another connection has committed (https://sqlite.org/pragma.html#pragma_data_version).
    return Effect.flatMap(connection.execute("PRAGMA data_version", [], undefined), ([row]) => {
      if (row !== undefined && row.data_version === this.#version && connection === this.#connection) return Effect.void
      this.#onWrite()
      return Effect.map(Migrations.verifyVersion(connection), () => {
        this.#connection = connection
        this.#version = row?.data_version
      })
    })
  }
}
