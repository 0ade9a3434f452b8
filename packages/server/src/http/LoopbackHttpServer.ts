import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { createServer as createSocketServer, type Socket } from "node:net"
import * as HttpServer from "@effect/platform/HttpServer"
import type { TokenUnusable } from "@port-server/domain/AccessToken"
import { serverHost } from "@port-server/domain/Defaults"
import { stillStarting, stopping as stoppingMessage } from "@port-server/domain/Errors"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { ServerConfig } from "../ServerConfig.ts"
import { logBug } from "./BugLog.ts"
import { Connections } from "./Connections.ts"
import { closing, type ErrorResponse } from "./ErrorResponse.ts"
import { limits, maxHeadersCount, parserError, socketTimeout } from "./Limits.ts"
import { PendingBytes } from "./PendingBytes.ts"
import { Reachability } from "./Reachability.ts"
import { type Access, checkHostAndOrigin } from "./RequestGuard.ts"
import * as RequestHandler from "./RequestHandler.ts"
import { RouteTable } from "./RouteTable.ts"
import { close, drain } from "./Shutdown.ts"
import { documents } from "./StaticFiles.ts"
import { tokenAccess } from "./TokenAccess.ts"
import * as UnixSocket from "./UnixSocket.ts"
import { WaitingCount } from "./WaitingRequests.ts"

/** The address cannot be listened on; `message` is a sentence that names the port. */
export class CannotListen extends Schema.TaggedError<CannotListen>()("CannotListen", { message: Schema.String }) {}

/** Why the server does not start. */
type StartError = CannotListen | TokenUnusable

const starting: ErrorResponse = {
  status: 503,
  error: stillStarting,
  headers: { ...closing, "Retry-After": "1" }
}
const stopping: ErrorResponse = { status: 503, error: stoppingMessage, headers: closing }
const notForTunnels: ErrorResponse = { status: 400, error: "this server opens no tunnels" }

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

/** Accepts the connections of a Unix socket for an HTTP server, which then has them as its own. */
const acceptFor = (server: Server, onAccept: (socket: Socket) => void) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      createSocketServer({ allowHalfOpen: true }, (socket) => {
        onAccept(socket)
        server.emit("connection", socket)
      })
    ),
    close
  )

/**
 * The HTTP server on 127.0.0.1 and on a Unix socket: Node's own, with every request passing the guard before it reaches
 * the API, and every error in the API's JSON form, also where Node's parser refuses. `NodeHttpServer` of
 * @effect/platform-node writes to a response without knowing whether the parser's error handler has.
 */
export const layer: Layer.Layer<HttpServer.HttpServer, StartError, ServerConfig | Reachability | PendingBytes> =
  Layer.scoped(
    HttpServer.HttpServer,
    Effect.gen(function* () {
      const config = yield* ServerConfig
      const reachability = yield* Reachability
      const pending = yield* PendingBytes
      const tokens = yield* tokenAccess(config.allowHosts)
      const server = yield* Effect.acquireRelease(
        // A client that closes its half of the connection behind a request (`nc -N`) still reads the response.
        Effect.sync(() => Object.assign(createServer(limits), { httpAllowHalfOpen: true })),
        close
      )
      server.maxHeadersCount = maxHeadersCount
      server.timeout = socketTimeout
      // Known by the socket object: not by what a request claims, nor by an address that a closed socket has lost.
      const privateSockets = new WeakSet<object>()
      const socketServer = yield* acceptFor(server, (socket) => privateSockets.add(socket))
      const access: Access = { isPrivate: ({ socket }) => privateSockets.has(socket), ...tokens }
      let handle = RequestHandler.refusing(starting)
      let runtime = yield* Effect.runtime<never>()
      const connections = new Connections(server, {
        waiting: new WaitingCount(),
        unsent: pending.unsent,
        handle: (exchange, connection) => handle(exchange, connection),
        report: (error, requestLine) => Runtime.runFork(runtime, logBug(requestLine, Cause.die(error)))
      })
      const onRequest = (request: IncomingMessage, response: ServerResponse) =>
        connections.with(request.socket, (connection) => connection.accept(request, response))
      server.on("request", onRequest).on("checkContinue", onRequest).on("checkExpectation", onRequest)
      server.on("clientError", (error, socket) => connections.reject(socket, parserError(error)))
      server.on("connect", (request, socket) =>
        connections.reject(socket, checkHostAndOrigin(request, access) ?? notForTunnels)
      )
      const port = yield* listen(server, config.port)
      return HttpServer.make({
        address: { _tag: "TcpAddress", hostname: serverHost, port },
        serve: (app) =>
          Effect.gen(function* () {
            const isStopping = yield* Deferred.make<void>()
            runtime = yield* Effect.runtime<never>()
            const routes = new RouteTable(documents.keys())
            handle = RequestHandler.make({
              access,
              app,
              pending,
              routes,
              runtime,
              stopping: Deferred.await(isStopping)
            })
            yield* Effect.addFinalizer(() =>
              Effect.gen(function* () {
                handle = RequestHandler.refusing(stopping)
                yield* Deferred.succeed(isStopping, undefined)
                yield* drain(server, socketServer, connections)
              })
            )
            // With the database, so that it is there only for what can be asked.
            yield* UnixSocket.listen(socketServer, config.socket).pipe(
              Effect.tap((hasPath) => Effect.sync(() => reachability.addSocket(config.socket, hasPath))),
              Effect.catchAll(({ message }) =>
                Effect.logWarning(`not listening on the socket ${config.socket}, only on TCP: ${message}`)
              )
            )
          })
      })
    })
  )
