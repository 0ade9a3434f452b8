import * as Context from "effect/Context"

/** Largest body of a request to an endpoint, in bytes. */
export class MaxBody extends Context.Reference<MaxBody>()("@port-server/domain/MaxBody", {
  defaultValue: () => 64 * 1024
}) {}
