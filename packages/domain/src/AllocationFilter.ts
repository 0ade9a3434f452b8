import * as Schema from "effect/Schema"
import { exact } from "./Allocation.ts"
import { largestPage } from "./LargestPage.ts"
import { isWellFormed } from "./Name.ts"
import { NumberFromDigits, RequestedPort, RequestedPortFromDigits } from "./Port.ts"

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
    }).annotations({ jsonSchema: { type: "integer", minimum: 0, maximum: 65535 } }),
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
    Schema.Literal("true", "").annotations({
      message: () => ({ message: "named must be true", override: true }),
      description: "only those of services that a project file has named"
    }),
    { exact: true }
  ),
  after: Schema.optionalWith(
    // Another program may have given ids below 1.
    Schema.compose(Schema.String.pipe(Schema.pattern(/^(0|-?[1-9][0-9]{0,15})$/)), Schema.NumberFromString).pipe(
      Schema.filter(Number.isSafeInteger),
      Schema.annotations({
        jsonSchema: { type: "integer", format: "int64" },
        message: () => ({ message: "after must be the id of an allocation", override: true })
      })
    ),
    { exact: true }
  ),
  limit: Schema.optionalWith(
    NumberFromDigits.pipe(
      Schema.filter((limit) => limit >= 1 && limit <= largestPage),
      Schema.annotations({
        jsonSchema: { type: "integer", minimum: 1, maximum: largestPage },
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
