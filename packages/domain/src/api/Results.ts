import * as Schema from "effect/Schema"
import { Allocation } from "../Allocation.ts"
import { containerFields, Listener, listenerError, portSockets } from "../Listener.ts"
import { Port } from "../Port.ts"

/**
 * Response of `GET /v1/ports/{port}`; `available` means that the registry has not allocated it, `listeners` are there when
 * sockets of this machine hold it, `listener_error` when that could not be read.
 */
export const PortStatus = Schema.Struct({
  port: Port,
  available: Schema.Boolean,
  holder: Schema.optionalWith(Allocation, { exact: true }),
  holder_error: Schema.optionalWith(
    Schema.String.annotations({ description: "why the allocation that holds it cannot be shown" }),
    { exact: true }
  ),
  listener: Schema.optionalWith(Listener, { exact: true }),
  listeners: portSockets,
  listener_error: listenerError,
  ...containerFields
}).annotations({ identifier: "PortStatus" })
/** Answer of `GET /v1/ports/{port}`. */
export type PortStatus = typeof PortStatus.Type

/** Answer of `DELETE /v1/allocations/{id}`. */
export const ReleaseResult = Schema.Struct({ status: Schema.Literal("deleted") }).annotations({
  identifier: "ReleaseResult"
})

/** Answer of `DELETE /v1/allocations`: how many allocations were released. */
export const ReleaseManyResult = Schema.Struct({ deleted: Schema.NonNegativeInt }).annotations({
  identifier: "ReleaseManyResult"
})
