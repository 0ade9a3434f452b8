import type { IncomingMessage, Server, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { type ErrorResponse, sendError, sendErrorAndClose } from "./ErrorResponse.ts"

/** How long a connection may go without a request, in ms, whatever else it sends. */
const idleTimeout = 10_000

interface Connection {
  /** What has been asked and is not answered yet, in order. */
  readonly inFlight: Map<ServerResponse, IncomingMessage>
  /** Nothing more that comes on it is listened to. */
  isClosing: boolean
  /** What to say once everything in flight is answered. */
  last?: ErrorResponse
  idleSince: number
}

/**
 * The connections of a server and the requests in flight on each: so that nothing is answered out of order or after the
 * end, that what follows a refused request is not taken for a request, and that a stop knows what to wait for.
 */
export class Connections {
  readonly #connections = new Map<Duplex, Connection>()

  constructor(server: Server) {
    server.on("connection", (socket: Socket) => {
      this.#connections.set(socket, { inFlight: new Map(), isClosing: false, idleSince: Date.now() })
      socket.on("close", () => this.#connections.delete(socket))
    })
    // Node's own timers start again with every byte, also with line breaks between requests.
    const sweep = setInterval(() => this.#closeIdle(Date.now() - idleTimeout), 1_000)
    server.on("close", () => clearInterval(sweep))
  }

  /** A request has arrived; false when it came behind one that ends its connection, and is to be ignored. */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    const { socket } = request
    const connection = this.#connections.get(socket)
    if (connection === undefined || connection.isClosing) return false
    connection.inFlight.set(response, request)
    // Node takes these for the last of their connection, but reads on.
    connection.isClosing = !response.shouldKeepAlive
    response.on("close", () => {
      connection.inFlight.delete(response)
      connection.idleSince = Date.now()
      if (connection.inFlight.size === 0 && connection.last !== undefined) sendErrorAndClose(socket, connection.last)
    })
    return true
  }

  /** Nothing more that comes on the socket is a request. */
  end(socket: Duplex): void {
    const connection = this.#connections.get(socket)
    if (connection !== undefined) connection.isClosing = true
  }

  /** What came on the socket cannot be read as a request: say so, after the answers that are due, and close it. */
  reject(socket: Duplex, refusal: ErrorResponse): void {
    const connection = this.#connections.get(socket)
    if (connection === undefined) {
      sendErrorAndClose(socket, refusal)
      return
    }
    const unread = [...connection.inFlight].find(([response, request]) => !request.complete && !response.headersSent)
    if (unread !== undefined) {
      connection.isClosing = true
      const [response, request] = unread
      sendError(request, response, refusal)
    } else if (!connection.isClosing) {
      connection.isClosing = true
      if (connection.inFlight.size === 0) sendErrorAndClose(socket, refusal)
      else connection.last = refusal
    } else if (connection.inFlight.size === 0 && socket.writable) {
      socket.end()
    }
  }

  /** Close what has no request in flight, once what was answered on it has been sent. */
  closeIdle(): void {
    this.#closeIdle(Number.POSITIVE_INFINITY)
  }

  #closeIdle(since: number): void {
    for (const [socket, { idleSince, inFlight }] of this.#connections) {
      if (inFlight.size === 0 && idleSince < since) socket.end(() => socket.destroy())
    }
  }
}
