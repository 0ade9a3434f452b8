import * as Schema from "effect/Schema"
import { largestPage } from "./LargestPage.ts"
import { escapeControls, isWellFormed, NameField } from "./Name.ts"
import { NumberFromDigits, RequestedPort, RequestedPortFromDigits } from "./Port.ts"

/** Number of an allocation: positive, given in order, never given twice. */
export const AllocationId = Schema.Number.pipe(
  Schema.filter((id) => Number.isSafeInteger(id) && id >= 1),
  Schema.brand("AllocationId"),
  Schema.annotations({
    identifier: "AllocationId",
    description: "number of an allocation, never given twice",
    jsonSchema: { type: "integer", minimum: 1 },
    message: () => ({ message: "invalid id", override: true })
  })
)
/** Number of an allocation: positive, given in order, never given twice. */
export type AllocationId = typeof AllocationId.Type

/** {@link AllocationId} written in digits, as in a path or a flag. */
export const AllocationIdFromDigits = Schema.compose(NumberFromDigits, AllocationId)

/**
 * Reject fields that are not in the schema, so that a misspelt one is never silently ignored.
 */
export const exact = { parseOptions: { onExcessProperty: "error" } } as const

/** What is asked for when a port is to be allocated. `port` absent or 0: the first free one of the server's range. */
export const AllocationRequest = Schema.Struct({
  app: NameField("app"),
  instance: NameField("instance"),
  service: NameField("service"),
  port: Schema.optionalWith(RequestedPort, { exact: true })
}).annotations({ identifier: "AllocationRequest", ...exact })
/** What is asked for when a port is to be allocated. */
export type AllocationRequest = typeof AllocationRequest.Type

/**
 * A port that belongs to a service of an instance of an app, from `created_at` (UTC, whole seconds,
 * `2025-02-08T15:04:05Z`) until it is released.
 *
 * Its fields are as wide as what a database may hold: another program may have stored names and ports that
 * {@link AllocationRequest} would refuse, and they are still listed.
 */
export class Allocation extends Schema.Class<Allocation>("Allocation")({
  id: Schema.Int.pipe(Schema.brand("AllocationId")),
  app: Schema.String,
  instance: Schema.String,
  service: Schema.String,
  port: Schema.Int,
  created_at: Schema.String.annotations({
    description: "UTC, whole seconds",
    examples: ["2025-02-08T15:04:05Z"]
  }),
  path: Schema.optionalWith(Schema.String.annotations({ description: "the project folder that it was ensured for" }), {
    exact: true
  })
}) {
  /** Whether it belongs to the very same service of the same instance of the same app. */
  hasOwnerOf(other: Pick<AllocationRequest, "app" | "instance" | "service">): boolean {
    return this.app === other.app && this.instance === other.instance && this.service === other.service
  }

  /** The owner, as people write it: `myapp/dev/postgres`. */
  get owner(): string {
    return escapeControls(`${this.app}/${this.instance}/${this.service}`)
  }
}

// A filter may name what an older program stored, so all that it refuses is what no stored name can equal.
const filterText = (field: string) =>
  Schema.String.annotations({ message: () => `${field} must be a string` }).pipe(
    Schema.filter((value) => isWellFormed(value) || `${field} must be valid Unicode text`)
  )

const filterFields = {
  app: Schema.optionalWith(filterText("app"), { exact: true }),
  instance: Schema.optionalWith(filterText("instance"), { exact: true }),
  service: Schema.optionalWith(filterText("service"), { exact: true }),
  path: Schema.optionalWith(filterText("path"), { exact: true })
}

/** Which allocations are meant: those that equal every field given. An empty name or port 0 counts as not given. */
export const AllocationFilter = Schema.Struct({
  ...filterFields,
  port: Schema.optionalWith(RequestedPort, { exact: true })
}).annotations({ identifier: "AllocationFilter", ...exact })
/** Which allocations are meant: those that equal every field given. */
export type AllocationFilter = typeof AllocationFilter.Type

/** {@link AllocationFilter} as the query of a URL. */
export const SelectorFromQuery = Schema.Struct({
  ...filterFields,
  port: Schema.optionalWith(
    Schema.transform(Schema.String, RequestedPortFromDigits, {
      strict: true,
      decode: (text) => (text === "" ? "0" : text),
      encode: (digits) => digits
    }),
    { exact: true }
  )
}).annotations(exact)

/**
 * The query of a list. With `after` or `limit` it is one page: the first `limit` allocations whose id is larger than
 * `after`. Pages that are read one after the other are not of one moment.
 */
export const ListQuery = Schema.Struct({
  ...SelectorFromQuery.fields,
  named: Schema.optionalWith(
    Schema.Literal("true").annotations({
      message: () => ({ message: "named must be true", override: true }),
      description: "only those of services that a project file has named"
    }),
    { exact: true }
  ),
  after: Schema.optionalWith(
    // Another program may have given ids below 1.
    Schema.compose(Schema.String.pipe(Schema.pattern(/^(0|-?[1-9][0-9]{0,15})$/)), Schema.NumberFromString).pipe(
      Schema.filter(Number.isSafeInteger),
      Schema.annotations({ message: () => ({ message: "after must be the id of an allocation", override: true }) })
    ),
    { exact: true }
  ),
  limit: Schema.optionalWith(
    NumberFromDigits.pipe(
      Schema.filter((limit) => limit >= 1 && limit <= largestPage),
      Schema.annotations({
        message: () => ({ message: `limit must be an integer from 1 to ${largestPage}`, override: true })
      })
    ),
    { exact: true }
  )
}).annotations(exact)
/** The query of a list. */
export type ListQuery = typeof ListQuery.Type

/** Which allocations a list has. */
export type ListFilter = Omit<ListQuery, "after" | "limit">

/** Whether a selector means every allocation, because it gives no field. */
export const isEmptyFilter = (selector: AllocationFilter): boolean =>
  !(selector.app || selector.instance || selector.service || selector.port || selector.path)

/**
 * What is to be released: {@link AllocationFilter} that gives at least one field, so that nothing can release everything
 * by accident; with `block`, the whole block of a service.
 */
export const ReleaseFilter = Schema.Struct({
  ...AllocationFilter.fields,
  block: Schema.optionalWith(
    Schema.Boolean.annotations({
      message: () => "block must be true or false",
      description: "the further ports too of a block whose first one matches: workers+1, workers+2, ..."
    }),
    { exact: true }
  )
}).pipe(
  Schema.filter(({ block, ...selector }) => {
    if (isEmptyFilter(selector)) return "at least one filter is required"
    return block && !selector.service ? "block needs a service" : undefined
  }),
  Schema.annotations({ identifier: "ReleaseFilter", ...exact })
)
/** What is to be released. */
export type ReleaseFilter = typeof ReleaseFilter.Type
