import { request as httpRequest } from "node:http"
import { connect, createServer, type Server, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Answer } from "./Wire.ts"

/** An ordinary request over a Unix socket, on a connection of its own. */
export const callSocket = (
  socketPath: string,
  method: string,
  path: string,
  options: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {}
): Effect.Effect<Answer> =>
  Effect.async((resume) => {
    const text = options.body === undefined ? undefined : JSON.stringify(options.body)
    const length = text === undefined ? {} : { "Content-Length": Buffer.byteLength(text) }
    const headers = { ...length, ...options.headers }
    const request = httpRequest({ socketPath, method, path, headers, agent: false }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk
      })
      response.on("end", () => {
        const headers = Object.fromEntries(Object.entries(response.headers).map(([key, value]) => [key, String(value)]))
        const isJson = headers["content-type"]?.startsWith("application/json") === true && body !== ""
        resume(
          Effect.succeed({
            status: response.statusCode ?? 0,
            headers,
            body,
            json: isJson ? JSON.parse(body) : undefined
          })
        )
      })
    })
    request.on("error", (error) => resume(Effect.die(error)))
    request.end(text)
  })

/** The system's code of a failed connection to a Unix socket, or that there was one. */
export const connectsTo = (path: string): Effect.Effect<string> =>
  Effect.async((resume) => {
    const socket = connect({ path })
    socket.on("connect", () => {
      socket.destroy()
      resume(Effect.succeed("connected"))
    })
    socket.on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code ?? "")))
  })

/** Listen on a Unix socket until the end of the scope, and answer nothing. */
export const silentSocket = (path: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.async<{ readonly server: Server; readonly sockets: Set<Socket> }>((resume) => {
        const sockets = new Set<Socket>()
        const server = createServer((socket) => sockets.add(socket.on("error", () => {})))
        server.listen({ path }, () => resume(Effect.succeed({ server, sockets })))
      }),
      ({ server, sockets }) =>
        Effect.async<void>((resume) => {
          for (const socket of sockets) socket.destroy()
          server.close(() => resume(Effect.void))
        })
    )
  )
