import type { Server as HttpServer } from "node:http"
import type { Server } from "node:net"
import * as Effect from "effect/Effect"
import type { Connections } from "./Connections.ts"

/** How long requests in flight may take at a stop, in ms; with what else a stop does it is less than 5 s. */
const drainTimeout = 4_000

/** Accept no new connections; ends when the last one is closed. */
export const close = (server: Server) =>
  Effect.async<void>((resume) => {
    if (server.listening) server.close(() => resume(Effect.void))
    else resume(Effect.void)
  })

/**
 * Accept no more connections and let the requests in flight finish, for {@link drainTimeout} at most.
 *
 * @param other what has given connections to the server, too
 */
export const drain = (server: HttpServer, other: Server, connections: Connections) =>
  Effect.suspend(() => {
    const idle = setInterval(() => connections.closeIdle(), 20)
    const late = setTimeout(() => server.closeAllConnections(), drainTimeout)
    const closed = Effect.all([close(server), close(other)], { concurrency: 2, discard: true })
    connections.closeIdle()
    return Effect.ensuring(
      closed,
      Effect.sync(() => {
        clearInterval(idle)
        clearTimeout(late)
      })
    )
  })
