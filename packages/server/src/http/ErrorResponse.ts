import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"

/** An error that the API does not declare: its status, and its message unless it has no body. */
export interface ErrorResponse {
  readonly status: number
  readonly error?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Headers of a response that ends its connection, because what follows on it cannot be trusted. */
export const closing = { Connection: "close" }

/** Headers of every response. */
export const fixedHeaders: Readonly<Record<string, string>> = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff"
}

/** A request that failed for a bug. */
export const internalError: ErrorResponse = { status: 500, error: "internal error" }

/** A request that is refused because of others; the connection is closed, so that the client comes back later. */
export const busy: ErrorResponse = {
  status: 503,
  error: "port-server is busy, try again",
  headers: { ...closing, "Retry-After": "1" }
}

/** How long the rest of a refused request is read and dropped, so that its client receives the response, in ms. */
const lingerTimeout = 1_000

const bodyOf = ({ error }: ErrorResponse) => (error === undefined ? "" : JSON.stringify({ error }))

const headersOf = (error: ErrorResponse, body: string) => ({
  ...fixedHeaders,
  ...(body === "" ? {} : { "Content-Type": "application/json", "Content-Length": String(Buffer.byteLength(body)) }),
  ...error.headers
})

/** Whether an error ends its connection. */
export const isClosing = ({ headers }: ErrorResponse): boolean => headers?.["Connection"] === "close"

/** The error as the API's platform sends it. */
export const toServerResponse = ({ error, headers, status }: ErrorResponse): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson({ error }, { status, ...(headers === undefined ? {} : { headers }) })

/** Write an error as the response to a request. */
export const writeError = (request: IncomingMessage, response: ServerResponse, error: ErrorResponse): void => {
  const body = bodyOf(error)
  response.writeHead(error.status, headersOf(error, body))
  if (request.complete || request.socket.readableEnded || !isClosing(error)) {
    response.end(body)
    return
  }
  // Closing while the client still sends would reset the connection before it has read the response.
  if (request.method === "HEAD") response.flushHeaders()
  else response.write(body)
  const end = () => {
    clearTimeout(timer)
    response.end()
  }
  const timer = setTimeout(end, lingerTimeout)
  request.once("close", end).resume()
}

/** Write an error on a connection for which Node has no response, and close it. */
export const writeErrorAndClose = (socket: Duplex, error: ErrorResponse): void => {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const body = bodyOf(error)
  const headers = Object.entries({ ...headersOf(error, body), ...closing })
  const head = [`HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`]
    .concat(headers.map(([name, value]) => `${name}: ${value}`))
    .join("\r\n")
  socket.end(`${head}\r\n\r\n${body}`)
}
