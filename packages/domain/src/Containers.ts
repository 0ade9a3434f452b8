import * as Schema from "effect/Schema"
import { EngineStatus, PublishingContainer } from "./Container.ts"
import { Reservation } from "./Listener.ts"

/** An allocated port that a stopped container publishes. */
export const ReservedPort = Schema.Struct({ port: Schema.Int, ...Reservation.fields }).annotations({
  identifier: "ReservedPort"
})
/** An allocated port that a stopped container publishes. */
export type ReservedPort = typeof ReservedPort.Type

/** The container engine of this machine, and its containers. */
export const Containers = Schema.Struct({
  engine: EngineStatus,
  containers: Schema.Array(PublishingContainer),
  reserved: Schema.optionalWith(
    Schema.Array(ReservedPort).annotations({
      description:
        "the allocated ports that stopped containers publish; absent where there are none, or it is not known whose"
    }),
    { exact: true }
  )
}).annotations({ identifier: "Containers" })
/** The container engine of this machine, and its containers. */
export type Containers = typeof Containers.Type
