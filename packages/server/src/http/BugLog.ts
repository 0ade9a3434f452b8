import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"

/** A request as one line of the log. */
export const requestLine = (method = "", url = ""): string => JSON.stringify(`${method} ${url}`.slice(0, 200))

/** Log a failure that is a bug, with the request that met it. */
export const logBug = (request: string, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.logError(`${request} failed for a bug of port-server`, cause)
