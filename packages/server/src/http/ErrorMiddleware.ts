import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { HttpApiDecodeError } from "@effect/platform/HttpApiError"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { PortServerApi } from "@port-server/domain/api/PortServerApi"
import { InvalidRequest, StorageUnavailable } from "@port-server/domain/Errors"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const encodeUnavailable = Schema.encodeSync(StorageUnavailable.body)

const internalError = HttpServerResponse.unsafeJson({ error: "internal error" }, { status: 500 })

/** Every failure as `{"error": …}`: those that the API declares are encoded by it; this is for the others. */
export const ErrorMiddleware = HttpApiBuilder.middleware(PortServerApi, (app) =>
  Effect.catchAllCause(app, (cause): Effect.Effect<HttpServerResponse.HttpServerResponse, InvalidRequest> => {
    const error: unknown = Cause.squash(cause)
    if (error instanceof HttpApiDecodeError) return InvalidRequest.fromIssue(error.issues[0])
    if (error instanceof StorageUnavailable && error.retryAfter !== undefined) {
      const headers = { "retry-after": String(error.retryAfter) }
      return Effect.succeed(HttpServerResponse.unsafeJson(encodeUnavailable(error), { status: 503, headers }))
    }
    if (Cause.isFailure(cause) || Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
    return Effect.as(Effect.logError("a request failed for a bug of port-server", cause), internalError)
  })
)
