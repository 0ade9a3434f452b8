import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Allocation } from "@port-server/domain/Allocation"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

/** The time of an allocation. Another program may have stored one of another form: that is returned unchanged. */
export const createdAt = `CASE WHEN created_at GLOB '????-??-?? ??:??:??' THEN replace(created_at, ' ', 'T') || 'Z'
  ELSE created_at END AS created_at`

const fields = `id, app, instance, service, port, ${createdAt}`

/** The columns of an allocation without a project folder. */
export const columnsWithoutPath = `${fields}, NULL AS path`

/** The columns of an allocation. */
export const columns = `${fields}, (SELECT path FROM folders WHERE allocation = id) AS path`

/** Columns to read the {@link columns} from: values that another program stored with another type are cast. */
export const castColumns = `id, CAST(app AS TEXT) AS app, CAST(instance AS TEXT) AS instance,
  CAST(service AS TEXT) AS service, CAST(port AS INTEGER) AS port, CAST(created_at AS TEXT) AS created_at`

/**
 * The condition that a row of the table of that name, whose owner is text, can be read. The plus keeps SQLite from searching
 * by the id.
 */
export const isReadable = (table: string): string =>
  `+${table}.id BETWEEN ${Number.MIN_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER}
    AND typeof(${table}.service) = 'text' AND typeof(${table}.created_at) = 'text' AND typeof(${table}.port) = 'integer'
    AND ${table}.port BETWEEN ${Number.MIN_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER}
    AND NOT EXISTS (SELECT 1 FROM folders AS own_folder WHERE allocation = ${table}.id AND typeof(path) <> 'text')`

/** An allocation as its row: NULL is an absent field. */
const AllocationFromRow = Schema.transform(
  Schema.Struct({ ...Allocation.fields, path: Schema.NullOr(Schema.String) }),
  Schema.typeSchema(Allocation),
  {
    strict: true,
    decode: ({ path, ...fields }) =>
      new Allocation(path === null ? fields : { ...fields, path }, { disableValidation: true }),
    encode: ({ path = null, ...fields }) => ({ ...fields, path })
  }
)

/** A row that is no allocation. SQLite stores a value of any type in any column, if another program writes it. */
export class UnreadableRow extends Data.TaggedError("UnreadableRow")<{
  readonly port: unknown
  /** The first column that is wrong. */
  readonly column: string
}> {
  override get message(): string {
    return `the row that holds port ${this.port} cannot be read; port-server --check names it`
  }
}

const decodeRow = Schema.decodeUnknownEither(AllocationFromRow)

/** The allocation in a row of the {@link columns}. */
export const decode = (row: unknown): Either.Either<Allocation, UnreadableRow> =>
  Either.mapLeft(decodeRow(row), ({ issue }) => {
    const [first] = ParseResult.ArrayFormatter.formatIssueSync(issue)
    const port = Predicate.hasProperty(row, "port") ? row.port : undefined
    return new UnreadableRow({ port, column: String(first?.path[0]) })
  })

/** The allocations of the rows that can be read. */
export const decodeReadable = (rows: ReadonlyArray<unknown>): ReadonlyArray<Allocation> =>
  rows.flatMap((row) => Either.match(decodeRow(row), { onLeft: () => [], onRight: (allocation) => [allocation] }))

const Shown = Schema.Struct({ shown_id: Schema.String, port_type: Schema.String })

/** The rows that cannot be read, and why, such as `id 7 (its port is of type text)`. */
export const describeUnreadable = (
  connection: Connection,
  columns: string
): Effect.Effect<ReadonlyArray<string>, SqlError> =>
  Effect.map(
    connection.execute(
      `SELECT ${columns}, CAST(id AS TEXT) AS shown_id, typeof(port) AS port_type FROM allocations ORDER BY id`,
      [],
      undefined
    ),
    (rows) =>
      rows.flatMap((row) =>
        Either.match(decode(row), {
          onRight: () => [],
          onLeft: ({ column }) => {
            const { port_type, shown_id } = Schema.decodeUnknownSync(Shown)(row)
            if (column === "id") return [`id ${shown_id} (its id is too large)`]
            const is = column === "port" ? `of type ${port_type}` : "not text"
            return [`id ${shown_id} (its ${column} is ${is})`]
          }
        })
      )
  )
