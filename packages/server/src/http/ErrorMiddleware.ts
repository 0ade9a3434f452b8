import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { HttpApiDecodeError } from "@effect/platform/HttpApiError"
import { RequestError } from "@effect/platform/HttpServerError"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { PortServerApi } from "@port-server/domain/api/PortServerApi"
import { InvalidRequest, ListenersUnavailable, StorageUnavailable } from "@port-server/domain/Errors"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { logBug, requestLine } from "./BugLog.ts"
import { internalError, toServerResponse } from "./ErrorResponse.ts"

const encodeListenersUnavailable = Schema.encodeSync(ListenersUnavailable.body)

/** The response to a failure that may be over soon. */
const retryLater = (body: object, seconds: number) =>
  HttpServerResponse.unsafeJson(body, { status: 503, headers: { "retry-after": String(seconds) } })

/** Every failure as `{"error": …}`: those that the API declares are encoded by it; this is for the others. */
export const ErrorMiddleware = HttpApiBuilder.middleware(PortServerApi, (app) =>
  Effect.catchAllCause(
    app,
    (cause): Effect.Effect<HttpServerResponse.HttpServerResponse, InvalidRequest, HttpServerRequest> => {
      const error: unknown = Cause.squash(cause)
      if (error instanceof HttpApiDecodeError) return InvalidRequest.fromIssue(error.issues[0])
      if (error instanceof RequestError) return new InvalidRequest({ message: "invalid JSON" })
      if (error instanceof StorageUnavailable && error.retryAfter !== undefined) {
        return Effect.succeed(retryLater({ error: error.message }, error.retryAfter))
      }
      if (error instanceof ListenersUnavailable) return Effect.succeed(retryLater(encodeListenersUnavailable(error), 1))
      if (Cause.isFailure(cause) || Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
      return Effect.flatMap(HttpServerRequest, ({ method, originalUrl }) =>
        Effect.as(logBug(requestLine(method, originalUrl), cause), toServerResponse(internalError))
      )
    }
  )
)
