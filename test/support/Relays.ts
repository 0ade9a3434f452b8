import { connect, createServer, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** A relay that carries connections of a port of its own to a server, as Docker Desktop does; its port. */
export const relay = (to: number | string, host = "127.0.0.1"): Effect.Effect<number, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<{ readonly port: number; readonly close: () => void }>((resume) => {
        const sockets = new Set<Socket>()
        const server = createServer((from) => {
          const socket = typeof to === "number" ? connect({ port: to, host: "127.0.0.1" }) : connect({ path: to })
          for (const each of [from, socket]) {
            sockets.add(each)
            each.on("error", () => each.destroy())
          }
          from.pipe(socket).pipe(from)
        })
        server.listen(0, host, () => {
          const address = server.address()
          const port = typeof address === "object" && address !== null ? address.port : -1
          const close = () => {
            for (const each of sockets) each.destroy()
            server.close()
          }
          resume(Effect.succeed({ port, close }))
        })
      }),
      ({ close }) => Effect.sync(close)
    ),
    ({ port }) => port
  )
