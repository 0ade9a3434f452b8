import { connect, createServer, type Server, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** A TCP server of the test's own that stands where a port-server is expected. */
export interface Listener {
  readonly port: number
  /** `host:port` for `PORT_SERVER_ADDR`. */
  readonly address: string
  /** How many connections it was asked for so far. */
  readonly connections: () => number
}

const portOf = (server: Server): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : -1
}

/** Listen on a free port of 127.0.0.1 and do `onConnection` with every connection; by default nothing. */
export const listener = (
  onConnection: (socket: Socket) => void = () => {}
): Effect.Effect<Listener, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<{ readonly server: Server; readonly sockets: Set<Socket>; count: number }>((resume) => {
        const state = { server: createServer(), sockets: new Set<Socket>(), count: 0 }
        state.server.on("connection", (socket) => {
          state.count++
          state.sockets.add(socket)
          socket.on("error", () => {})
          onConnection(socket)
        })
        state.server.listen(0, "127.0.0.1", () => resume(Effect.succeed(state)))
      }),
      ({ server, sockets }) =>
        Effect.async<void>((resume) => {
          for (const socket of sockets) socket.destroy()
          server.close(() => resume(Effect.void))
        })
    ),
    (state) => {
      const port = portOf(state.server)
      return { port, address: `127.0.0.1:${port}`, connections: () => state.count }
    }
  )

/** An HTTP server that answers every request with the same bytes and closes. */
export const answering = (
  status: string,
  body: string,
  contentType = "application/json"
): Effect.Effect<Listener, never, Scope.Scope> =>
  listener((socket) => {
    const length = Buffer.byteLength(body)
    socket.once("data", () =>
      socket.end(
        `HTTP/1.1 ${status}\r\nContent-Type: ${contentType}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`
      )
    )
  })

/** A connection whose bytes the test sends and awaits one by one. */
export interface Connection {
  readonly port: number
  readonly send: (text: string) => Effect.Effect<void>
  /** Read no more of what comes. */
  readonly pause: () => void
  /** Resolves with everything received once it matches, or fails the test when the other side closes before. */
  readonly received: (pattern: RegExp) => Effect.Effect<string>
  /** Resolves with everything received once the other side has closed. */
  readonly closed: Effect.Effect<string>
}

/** Connect to a port of 127.0.0.1, or `undefined` when nobody listens there. */
export const connection = (port: number): Effect.Effect<Connection | undefined, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<Socket>((resume) => {
        const socket = connect({ port, host: "127.0.0.1" })
        socket.on("connect", () => resume(Effect.succeed(socket)))
        socket.on("error", () => resume(Effect.succeed(socket)))
      }),
      (socket) => Effect.sync(() => socket.destroy())
    ),
    (socket) => {
      if (socket.remoteAddress === undefined) return undefined
      let text = ""
      socket.setEncoding("latin1").on("data", (chunk: string) => {
        text += chunk
      })
      const end = new Promise<string>((resolve) => {
        socket.on("close", () => resolve(text))
      })
      return {
        port: socket.localPort ?? -1,
        send: (bytes) => Effect.sync(() => void socket.write(bytes)),
        pause: () => void socket.pause(),
        received: (pattern) =>
          Effect.async((resume) => {
            const look = () => {
              if (pattern.test(text)) resume(Effect.succeed(text))
            }
            socket.on("data", look)
            socket.on("close", () =>
              resume(Effect.dieMessage(`closed before ${pattern} came: got ${JSON.stringify(text)}`))
            )
            look()
          }),
        closed: Effect.promise(() => end)
      }
    }
  )

/** A connection to somebody who does listen. */
export const connected = (port: number): Effect.Effect<Connection, never, Scope.Scope> =>
  Effect.flatMap(connection(port), (open) =>
    open === undefined ? Effect.dieMessage(`nobody listens on port ${port}`) : Effect.succeed(open)
  )

/**
 * The address of a port that nobody listens on, and that nobody else can take: it is the near end of a connection that
 * stays open as long as the scope.
 */
export const closedAddress: Effect.Effect<string, never, Scope.Scope> = listener().pipe(
  Effect.flatMap(({ port }) => connected(port)),
  Effect.map(({ port }) => `127.0.0.1:${port}`)
)

/** Resolves once connections to the port are refused. */
export const refusing = (port: number): Effect.Effect<void> =>
  connection(port).pipe(Effect.scoped, Effect.repeat({ until: (open) => open === undefined }), Effect.asVoid)
