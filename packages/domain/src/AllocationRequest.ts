import * as Schema from "effect/Schema"
import { exact } from "./Allocation.ts"
import { NameField } from "./Name.ts"
import { RequestedPort } from "./Port.ts"

/** What is asked for when a port is to be allocated. `port` absent or 0: the first free one of the server's range. */
export const AllocationRequest = Schema.Struct({
  app: NameField("app"),
  instance: NameField("instance"),
  service: NameField("service"),
  port: Schema.optionalWith(RequestedPort, { exact: true })
}).annotations({ identifier: "AllocationRequest", ...exact })
/** What is asked for when a port is to be allocated. */
export type AllocationRequest = typeof AllocationRequest.Type
