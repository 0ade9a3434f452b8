import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A value that SQLite binds to a `?`. */
export type Parameter = string | number | null

/** Run a statement for its effect. */
export const run = (
  connection: Connection,
  sql: string,
  parameters: ReadonlyArray<Parameter> = []
): Effect.Effect<void, SqlError> => Effect.asVoid(connection.execute(sql, parameters, undefined))

/** A query for rows of the shape `Row`; a row of another shape is a defect. Compiles the schema once, so make it once. */
export const query = <A, I>(Row: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknownSync(Schema.Array(Row))
  return (
    connection: Connection,
    sql: string,
    parameters: ReadonlyArray<Parameter> = []
  ): Effect.Effect<ReadonlyArray<A>, SqlError> =>
    Effect.map(connection.execute(sql, parameters, undefined), (rows) => decode(rows))
}
