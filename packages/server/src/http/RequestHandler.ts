import type * as HttpApp from "@effect/platform/HttpApp"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import { currentClient } from "../storage/EventLog.ts"
import { logBug } from "./BugLog.ts"
import { clientOf } from "./ClientHeader.ts"
import type { Connection } from "./Connection.ts"
import type { ErrorResponse } from "./ErrorResponse.ts"
import type { Exchange } from "./Exchange.ts"
import { JsonRequest } from "./JsonRequest.ts"
import type { PendingBytes } from "./PendingBytes.ts"
import { dropBody, type Received, readBody } from "./RequestBody.ts"
import { type Access, checkRequest } from "./RequestGuard.ts"
import * as Response from "./Response.ts"
import type { RouteTable } from "./RouteTable.ts"
import { WriteBatch } from "./WriteBatch.ts"

/** Works on a request until its response is sent. */
export type RequestHandler = (exchange: Exchange, connection: Connection) => void

/** What a request handler needs. */
export interface Options {
  readonly app: HttpApp.Default<unknown>
  /** For the fibers of the requests. */
  readonly runtime: Runtime.Runtime<never>
  readonly routes: RouteTable
  readonly access: Access
  readonly pending: Context.Tag.Service<PendingBytes>
  /** Succeeds when the server stops: ends responses that have no end of their own. */
  readonly stopping: Effect.Effect<void>
}

const hasBody = ({ headers }: Exchange["request"]): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0

const isReadOnly = ({ method }: Exchange["request"]): boolean => method === "GET" || method === "HEAD"

const noRelease = () => {}

/** Responds to every request with the same error. */
export const refusing =
  (error: ErrorResponse): RequestHandler =>
  (exchange, connection) =>
    connection.fail(exchange, error)

/**
 * Run the API on the requests that the guard accepts, each in a fiber of its own. A client that goes away does not
 * interrupt what it asked for: it is short, and a write that shares its transaction with others cannot stop half-way.
 */
export const make = ({ access, app, pending, routes, runtime, stopping }: Options): RequestHandler => {
  const batch = new WriteBatch()
  // The app carries the services of its own; the platform copies what is given here several times a request.
  const bare = Runtime.make({ ...runtime, context: Context.empty() })

  const respond = (
    exchange: Exchange,
    connection: Connection,
    body: ReadonlyArray<Buffer>,
    client: string | undefined
  ): Effect.Effect<void> =>
    Effect.suspend(() => {
      const [first, ...others] = body
      const bytes = others.length === 0 ? first : Buffer.concat(body)
      return Effect.provideService(app, HttpServerRequest, new JsonRequest(exchange.request, bytes))
    }).pipe(
      (answer) => (client === undefined ? answer : Effect.locally(answer, currentClient, client)),
      Effect.flatMap((answer) => Response.send(exchange, answer, batch, stopping)),
      Effect.scoped,
      Effect.catchAllCause((cause) =>
        Effect.zipRight(
          Effect.sync(() => connection.abort(exchange)),
          logBug(exchange.requestLine, cause)
        )
      )
    )

  return (exchange, connection) => {
    const { request } = exchange
    const decision = checkRequest(request, routes, access)
    if ("status" in decision) {
      connection.fail(exchange, decision)
      return
    }
    const client = clientOf(request)
    if (typeof client === "object") {
      connection.fail(exchange, client)
      return
    }
    if (request.headers.expect !== undefined && request.httpVersion === "1.1") exchange.continue()
    const begin = (body: Received, release: () => void) =>
      connection.guard(() => {
        if (!("status" in body)) {
          Runtime.runFork(bare, respond(exchange, connection, body, client)).addObserver(release)
          return
        }
        release()
        connection.fail(exchange, body)
      })
    if (decision.maxBody > 0) readBody(exchange, decision.maxBody, pending.received, begin)
    // Nothing is changed for a request that may turn out not to be one.
    else if (!isReadOnly(request) && hasBody(request)) dropBody(exchange, (refused) => begin(refused ?? [], noRelease))
    else begin([], noRelease)
  }
}
