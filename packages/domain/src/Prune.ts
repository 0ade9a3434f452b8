import * as Schema from "effect/Schema"
import { Allocation, AllocationId, exact } from "./Allocation.ts"

/**
 * What is asked for when stale allocations are to be released: all of them, or those of them that have one of the ids.
 * With `dry_run`, they are only answered.
 */
export const PruneRequest = Schema.Struct({
  ids: Schema.optionalWith(Schema.Array(AllocationId).annotations({ message: () => "ids must be a list of ids" }), {
    exact: true
  }),
  dry_run: Schema.optionalWith(Schema.Boolean.annotations({ message: () => "dry_run must be true or false" }), {
    exact: true
  })
}).annotations({ identifier: "PruneRequest", ...exact })
/** What is asked for when stale allocations are to be released. */
export type PruneRequest = typeof PruneRequest.Type

/** The stale allocations: with `dry_run` those that there are, otherwise those that were released. */
export const PruneResult = Schema.Struct({ allocations: Schema.Array(Allocation) }).annotations({
  identifier: "PruneResult"
})
/** The stale allocations. */
export type PruneResult = typeof PruneResult.Type
