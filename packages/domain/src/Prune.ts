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

/**
 * Why an allocation was kept whose folder is not known to be there: something listens on its port; the parent folder is
 * gone too; the folder is on a disk that is not mounted; or it could not be probed.
 */
export const KeptReason = Schema.Literal("listening", "parent_gone", "not_mounted", "unknown")
/** Why an allocation was kept. */
export type KeptReason = typeof KeptReason.Type

/** An allocation that was not released, and why. */
export const Kept = Schema.Struct({ allocation: Allocation, reason: KeptReason }).annotations({ identifier: "Kept" })
/** An allocation that was not released, and why. */
export type Kept = typeof Kept.Type

/** The stale allocations: with `dry_run` those that there are, otherwise those that were released. */
export const PruneResult = Schema.Struct({
  allocations: Schema.Array(Allocation),
  kept: Schema.optionalWith(
    Schema.Array(Kept).annotations({
      description: "what was not released although its folder is not known to be there"
    }),
    { exact: true }
  )
}).annotations({ identifier: "PruneResult" })
/** The stale allocations. */
export type PruneResult = typeof PruneResult.Type
