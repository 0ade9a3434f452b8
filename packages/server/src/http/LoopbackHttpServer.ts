import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import * as HttpServer from "@effect/platform/HttpServer"
import { serverHost } from "@port-server/domain/Defaults"
import { stillStarting } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { ServerConfig } from "../ServerConfig.ts"
import { Connections } from "./Connections.ts"
import { closing, type ErrorResponse, isClosing, sendError } from "./ErrorResponse.ts"
import { JsonRequest } from "./JsonRequest.ts"
import { type Handler, readBody } from "./RequestBody.ts"
import { checkHostAndOrigin, checkRequest } from "./RequestGuard.ts"
import { answering } from "./Response.ts"
import { close, drain } from "./Shutdown.ts"

/** The address cannot be listened on; `message` is a sentence that names the port. */
export class CannotListen extends Schema.TaggedError<CannotListen>()("CannotListen", { message: Schema.String }) {}

/** Limits of a connection, in ms and bytes, for clients that are slow on purpose or by accident. */
const limits = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 16_384,
  // The guard says in JSON what Node would say without a body.
  requireHostHeader: false
}

/** How long a connection may be without a byte either way, in ms: also one whose client does not read its answer. */
const idleTimeout = 20_000

/** Node drops the headers after so many without a word, and the guard must see them all; 0: no such limit. */
const maxHeadersCount = 0

/** What Node's parser gave up on. */
const parserError = (error: unknown): ErrorResponse => {
  switch (Predicate.hasProperty(error, "code") ? error.code : undefined) {
    case "HPE_HEADER_OVERFLOW":
      return { status: 431, error: `the request headers are larger than ${limits.maxHeaderSize} bytes` }
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { status: 408, error: "the request took too long" }
    default:
      return { status: 400, error: "the request is not valid HTTP/1.1" }
  }
}

const starting: ErrorResponse = {
  status: 503,
  error: stillStarting,
  headers: { ...closing, "Retry-After": "1" }
}
const stopping: ErrorResponse = { status: 503, error: "port-server is stopping", headers: closing }
const unknownExpectation: ErrorResponse = { status: 417, error: "unknown expectation", headers: closing }
const notForTunnels: ErrorResponse = { status: 400, error: "this server opens no tunnels" }

const guarded =
  (connections: Connections, isStopping: () => boolean, handler: Handler) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    if (!connections.begin(request, response)) return
    const decision = isStopping() ? stopping : checkRequest(request)
    if ("status" in decision) {
      if (isClosing(decision)) connections.end(request.socket)
      sendError(request, response, decision)
      return
    }
    if (request.headers.expect !== undefined && request.httpVersion === "1.1") response.writeContinue()
    if (decision.maxBody > 0) readBody(request, response, connections, decision.maxBody, handler)
    else handler(new JsonRequest(request), response)
  }

const listen = (server: Server, port: number) =>
  Effect.async<number, CannotListen>((resume) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const message =
        error.code === "EADDRINUSE"
          ? `port ${port} is already in use (is port-server running already? choose another port with --port)`
          : `cannot listen on ${serverHost}:${port}: ${error.message}`
      resume(new CannotListen({ message }))
    })
    server.listen(port, serverHost, () => {
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : port))
    })
  })

/**
 * The HTTP server on 127.0.0.1: Node's own, with every request passing the guard before it reaches the API, and every
 * refusal in the API's JSON form, also where Node's parser refuses.
 */
export const layer: Layer.Layer<HttpServer.HttpServer, CannotListen, ServerConfig> = Layer.scoped(
  HttpServer.HttpServer,
  Effect.gen(function* () {
    const config = yield* ServerConfig
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => createServer(limits)),
      close
    )
    server.maxHeadersCount = maxHeadersCount
    server.timeout = idleTimeout
    const connections = new Connections(server)
    let isStopping = false
    const listener = (handler: Handler) => guarded(connections, () => isStopping, handler)
    let current = listener((request, response) => sendError(request.source, response, starting))
    const onRequest = (request: IncomingMessage, response: ServerResponse) => current(request, response)
    server.on("request", onRequest).on("checkContinue", onRequest)
    server.on("checkExpectation", (request, response) => {
      if (!connections.begin(request, response)) return
      connections.end(request.socket)
      sendError(request, response, checkHostAndOrigin(request) ?? unknownExpectation)
    })
    server.on("clientError", (error, socket) => connections.reject(socket, parserError(error)))
    server.on("connect", (request, socket) => connections.reject(socket, checkHostAndOrigin(request) ?? notForTunnels))
    const port = yield* listen(server, config.port)
    return HttpServer.make({
      address: { _tag: "TcpAddress", hostname: serverHost, port },
      serve: (app) =>
        Effect.acquireRelease(
          Effect.map(Effect.runtime<never>(), (runtime) => {
            current = listener(answering(runtime, app))
          }),
          () =>
            Effect.suspend(() => {
              isStopping = true
              return drain(server, connections)
            })
        )
    })
  })
)
