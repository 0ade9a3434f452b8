import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type * as HttpApp from "@effect/platform/HttpApp"
import type { HttpBody } from "@effect/platform/HttpBody"
import * as HttpServer from "@effect/platform/HttpServer"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import type { HttpServerResponse } from "@effect/platform/HttpServerResponse"
import { serverHost } from "@port-server/domain/Defaults"
import { stillStarting } from "@port-server/domain/Errors"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { ServerConfig } from "../ServerConfig.ts"
import { Connections } from "./Connections.ts"
import { closing, type ErrorResponse, fixedHeaders, isClosing, sendError } from "./ErrorResponse.ts"
import { JsonRequest } from "./JsonRequest.ts"
import { checkHostAndOrigin, checkRequest, invalidJson, parseBody, tooLarge } from "./RequestGuard.ts"

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

/** How long requests in flight may take at a stop, in ms; with what else a stop does it is less than 5 s. */
const drainTimeout = 4_000

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

type Handler = (request: JsonRequest, response: ServerResponse) => void

/** Read a JSON body of at most so many bytes, then go on. */
const readBody = (
  request: IncomingMessage,
  response: ServerResponse,
  connections: Connections,
  maxBody: number,
  handler: Handler
): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  const onData = (chunk: Buffer) => {
    size += chunk.length
    if (size <= maxBody) {
      chunks.push(chunk)
    } else {
      request.off("data", onData).off("end", onEnd)
      connections.end(request.socket)
      sendError(request, response, tooLarge(maxBody))
    }
  }
  const onEnd = () => {
    const body = parseBody(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks))
    if (body === undefined) {
      sendError(request, response, invalidJson)
    } else {
      handler(new JsonRequest(request, body), response)
    }
  }
  // A client that went away half-way is not an error of anybody here.
  request
    .on("data", onData)
    .on("end", onEnd)
    .on("error", () => {})
}

/** Up to here, in bytes, one write of a copy is quicker than two writes. */
const smallBody = 64 * 1024

/**
 * What is sent of a body; of a small one its bytes as a latin1 string: Node sends the headers and a string in one write,
 * bytes in another.
 */
const contentOf = (body: HttpBody): string | Buffer | undefined => {
  switch (body._tag) {
    case "Empty":
      return ""
    case "Uint8Array": {
      const { buffer, byteLength, byteOffset } = body.body
      const bytes = Buffer.from(buffer, byteOffset, byteLength)
      return byteLength > smallBody ? bytes : bytes.toString("latin1")
    }
    default:
      return undefined
  }
}

const internalError: ErrorResponse = { status: 500, error: "internal error" }

/** Send what the API answers. */
const respond = (request: JsonRequest, response: ServerResponse, answer: HttpServerResponse): void => {
  const content = contentOf(answer.body)
  if (content === undefined) {
    sendError(request.source, response, internalError)
    return
  }
  const headers = ["content-length", String(content.length)]
  for (const name in fixedHeaders) headers.push(name, fixedHeaders[name] ?? "")
  for (const name in answer.headers) {
    if (name !== "content-length") headers.push(name, answer.headers[name] ?? "")
  }
  response.writeHead(answer.status, headers)
  if (request.method === "HEAD") response.end()
  else response.end(content, "latin1")
}

const due: Array<() => void> = []

/**
 * Send the answers of this turn of the event loop one after the other: each write to a socket may wake its reader, which
 * costs the system more when it does nothing else in between.
 */
const together = (send: () => void): void => {
  if (due.push(send) > 1) return
  setImmediate(() => {
    for (const each of due.splice(0)) each()
  })
}

/**
 * Run the API on each request. A client that goes away does not interrupt what it asked for: it is short, and a write
 * that shares its transaction with others cannot stop half-way.
 */
const answering =
  (runtime: Runtime.Runtime<never>, app: HttpApp.Default<unknown>): Handler =>
  (request, response) => {
    // The app carries the services of its own; the platform copies what is given here several times a request.
    const context = Context.make(HttpServerRequest, request)
    Runtime.runFork(Runtime.make({ ...runtime, context }), app).addObserver((exit) =>
      together(() => {
        if (Exit.isSuccess(exit)) respond(request, response, exit.value)
        else sendError(request.source, response, internalError)
      })
    )
  }

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

const close = (server: Server) =>
  Effect.async<void>((resume) => {
    if (server.listening) server.close(() => resume(Effect.void))
    else resume(Effect.void)
  })

/** Accept no more connections and let the requests in flight finish, for {@link drainTimeout} at most. */
const drain = (server: Server, connections: Connections) =>
  Effect.suspend(() => {
    const idle = setInterval(() => connections.closeIdle(), 20)
    const late = setTimeout(() => server.closeAllConnections(), drainTimeout)
    const closed = close(server)
    connections.closeIdle()
    return Effect.ensuring(
      closed,
      Effect.sync(() => {
        clearInterval(idle)
        clearTimeout(late)
      })
    )
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
