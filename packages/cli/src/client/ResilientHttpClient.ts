import * as HttpClient from "@effect/platform/HttpClient"
import { type HttpClientError, RequestError } from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { isClosedCode } from "@port-server/domain/api/ClientErrors"
import type { Address } from "@port-server/domain/ServerAddress"
import { errorCode } from "@port-server/domain/SystemError"
import * as Effect from "effect/Effect"
import { ServerUnusable } from "../errors/ServerErrors.ts"

/**
 * What is done about a request that failed: it succeeds when another attempt is worth it, which is made where nothing
 * listened or a second one is safe, and fails with an error that may explain more.
 */
export type Recovery = (error: RequestError) => Effect.Effect<void, RequestError>

/** How long one attempt may take to the end of the response. */
const requestTimeout = "10 seconds"

/** How long a request is tried again, however the server fares meanwhile. */
const patience = "60 seconds"

/** How often in a row, 50 ms apart, a request is sent again over a connection that was closed before the response. */
const maxClosed = 20

/** Whether a request has the same effect when it is sent twice. */
const isIdempotent = ({ method, url }: HttpClientRequest): boolean =>
  method === "GET" || (method === "POST" && new URL(url).pathname === "/v1/ensure")

type Response = Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError>

/** A client that sends a request again when the server was not there, or went away, and that is safe. */
export const make = (address: Address, recover: Recovery, client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transform(client, (send, request) => {
    const attempt = Effect.timeoutFail(send, {
      duration: requestTimeout,
      onTimeout: () => new RequestError({ request, reason: "Transport", description: "no response in time" })
    })
    const exchange = (closed: number): Response =>
      Effect.catchTag(attempt, "RequestError", (error) => {
        const code = errorCode(error)
        if (isClosedCode(code)) {
          // Whatever could be found out about the server now, the request may have been done.
          if (!isIdempotent(request)) return error
          if (closed < maxClosed) {
            return Effect.delay(
              Effect.suspend(() => exchange(closed + 1)),
              "50 millis"
            )
          }
        }
        return Effect.zipRight(
          recover(error),
          Effect.suspend(() => (code === "ECONNREFUSED" || isIdempotent(request) ? exchange(0) : error))
        )
      })
    return Effect.timeoutFail(exchange(0), {
      duration: patience,
      onTimeout: () => {
        const message = `port-server at ${address} did not stay up long enough to answer within ${patience}`
        return new RequestError({ request, reason: "Transport", cause: new ServerUnusable({ message }) })
      }
    })
  })
