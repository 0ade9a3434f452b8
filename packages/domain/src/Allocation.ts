import * as Schema from "effect/Schema"
import type { AllocationRequest } from "./AllocationRequest.ts"
import { escapeControls } from "./Name.ts"
import { NumberFromDigits } from "./Port.ts"

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
