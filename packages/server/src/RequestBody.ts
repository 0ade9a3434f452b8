import type { IncomingMessage } from "node:http"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"

const bodies = new WeakMap<IncomingMessage, object>()

/** Keep the JSON object that was read from a request, for {@link withKeptBody}. */
export const keepBody = (request: IncomingMessage, body: object): void => {
  bodies.set(request, body)
}

/**
 * Give the API the body that was kept, as JSON whatever its `Content-Type` says: the platform would read it again, with
 * another decoder for each type and without a limit.
 */
export const withKeptBody = <A, E, R>(app: Effect.Effect<A, E, R>) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const body = bodies.get(NodeHttpServerRequest.toIncomingMessage(request))
    if (body === undefined) return app
    const json = Effect.succeed(body)
    const headers = { ...request.headers, "content-type": "application/json" }
    return Effect.provideService(
      app,
      HttpServerRequest.HttpServerRequest,
      new Proxy(request, {
        get: (target, key) => (key === "json" ? json : key === "headers" ? headers : Reflect.get(target, key))
      })
    )
  })
