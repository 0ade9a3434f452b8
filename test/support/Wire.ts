import { Agent, request as httpRequest } from "node:http"
import { connect } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What came back over a socket: everything until the other side closed, or until `enough` says so. */
export const exchange = (
  port: number,
  bytes: string | Uint8Array,
  options: {
    readonly enough?: (received: string) => boolean
    readonly timeout?: number
    /** Whether to close one's own half behind the bytes. */
    readonly isLast?: boolean
  } = {}
): Effect.Effect<string> =>
  Effect.async((resume) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    let received = ""
    const done = () => {
      clearTimeout(timer)
      socket.destroy()
      resume(Effect.succeed(received))
    }
    const timer = setTimeout(() => {
      socket.destroy()
      resume(Effect.dieMessage(`no end of the answer in time, got ${JSON.stringify(received)}`))
    }, options.timeout ?? 15_000)
    socket.setEncoding("latin1").on("data", (text: string) => {
      received += text
      if (options.enough?.(received)) done()
    })
    socket.on("end", done).on("error", done)
    if (options.isLast) socket.end(bytes)
    else socket.write(bytes)
  })

/** One answer, taken apart. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly json: unknown
}

/** The first answer in what came over a socket. */
export const parseAnswer = (received: string): Answer => {
  const end = received.indexOf("\r\n\r\n")
  const [line = "", ...fields] = received.slice(0, end).split("\r\n")
  const headers = Object.fromEntries(
    fields.map((field) => {
      const colon = field.indexOf(":")
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
    })
  )
  const body = Buffer.from(received.slice(end + 4), "latin1").toString("utf8")
  return { status: Number(line.split(" ")[1]), headers, body, json: body === "" ? undefined : JSON.parse(body) }
}

/** Send one request exactly as written and close; the answer. The last header asks the server to close. */
export const send = (port: number, head: string, body: string | Uint8Array = ""): Effect.Effect<Answer> => {
  const content = Buffer.from(body)
  const length =
    content.length === 0 || /content-length|transfer-encoding/i.test(head) ? [] : [`Content-Length: ${content.length}`]
  const lines = [...head.split("\n"), ...length, "Connection: close", "", ""].join("\r\n")
  return Effect.map(exchange(port, Buffer.concat([Buffer.from(lines, "latin1"), content])), parseAnswer)
}

const callBy =
  (agent: Agent | false) =>
  (port: number, method: string, path: string, body?: unknown): Effect.Effect<Answer> =>
    Effect.async((resume) => {
      const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body)
      // Node sends the body of a DELETE without any length by itself.
      const headers = text === undefined ? {} : { "Content-Length": Buffer.byteLength(text) }
      const request = httpRequest({ host: "127.0.0.1", port, method, path, headers, agent }, (response) => {
        let received = ""
        response.setEncoding("utf8").on("data", (chunk: string) => {
          received += chunk
        })
        response.on("end", () => {
          const headers = Object.fromEntries(
            Object.entries(response.headers).map(([name, value]) => [name, String(value)])
          )
          const json: unknown = received === "" ? undefined : JSON.parse(received)
          resume(Effect.succeed({ status: response.statusCode ?? 0, headers, body: received, json }))
        })
      })
      request.on("error", (error) => resume(Effect.die(error)))
      request.end(text)
    })

/** An ordinary request with Node's own client, on a connection of its own. */
export const call = callBy(false)

/** {@link call} on one connection, which stays open as long as the scope. */
export const callOnOneConnection: Effect.Effect<typeof call, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => new Agent({ keepAlive: true, maxSockets: 1 })),
    (agent) => Effect.sync(() => agent.destroy())
  ),
  callBy
)
