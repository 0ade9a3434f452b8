import type { Server } from "node:http"
import type { Duplex } from "node:stream"
import { Connection, type Shared } from "./Connection.ts"
import { busy, type ErrorResponse, writeErrorAndClose } from "./ErrorResponse.ts"

/** Most connections at a time: some 25 KiB each, and a file descriptor. */
const maxConnections = 2_048

/** How long a connection may go without a request, in ms, whatever else it sends. */
const idleTimeout = 10_000

/** The connections of a server. */
export class Connections {
  readonly #connections = new Map<Duplex, Connection>()

  constructor(server: Server, shared: Shared) {
    server.on("connection", (socket: Duplex) => {
      if (this.#connections.size >= maxConnections) {
        writeErrorAndClose(socket, busy)
        return
      }
      this.#connections.set(socket, new Connection(socket, shared))
      socket.on("close", () => this.#connections.delete(socket))
    })
    // Node's own timers start again with every byte, also with line breaks between requests.
    const sweep = setInterval(() => this.closeIdle(idleTimeout), 1_000)
    server.on("close", () => clearInterval(sweep))
  }

  /** Do something with the connection of a socket, if it is one; an exception ends that connection alone. */
  with(socket: Duplex, use: (connection: Connection) => void): void {
    const connection = this.#connections.get(socket)
    connection?.guard(() => use(connection))
  }

  /** What came on the socket cannot be read as a request. */
  reject(socket: Duplex, error: ErrorResponse): void {
    if (this.#connections.has(socket)) this.with(socket, (connection) => connection.reject(error))
    else writeErrorAndClose(socket, error)
  }

  /** Close the connections that have had no request for this many ms, once what was written on them is sent. */
  closeIdle(age = 0): void {
    for (const connection of this.#connections.values()) connection.closeIfIdle(age)
  }
}
