import * as Schema from "effect/Schema"
import { AllocationId, exact } from "./Allocation.ts"
import { NameField } from "./Name.ts"
import { NumberFromDigits, RequestedPort } from "./Port.ts"

/** {@link AllocationId} written in digits, as in a path or a flag. */
export const AllocationIdFromDigits = Schema.compose(NumberFromDigits, AllocationId)

/** What is asked for when a port is to be allocated. `port` absent or 0: the first free one of the server's range. */
export const AllocationRequest = Schema.Struct({
  app: NameField("app"),
  instance: NameField("instance"),
  service: NameField("service"),
  port: Schema.optionalWith(RequestedPort, { exact: true })
}).annotations({ identifier: "AllocationRequest", ...exact })
/** What is asked for when a port is to be allocated. */
export type AllocationRequest = typeof AllocationRequest.Type
