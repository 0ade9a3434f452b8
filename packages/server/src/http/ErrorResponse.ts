import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"

/** A request that does not reach the API, and the answer to it. */
export interface ErrorResponse {
  readonly status: number
  /** The `error` sentence of the JSON body; an answer without it has no body. */
  readonly error?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Headers of an answer after which the connection is closed, because the rest of what is on it cannot be trusted. */
export const closing = { Connection: "close" }

/** Headers of every answer. */
export const fixedHeaders: Readonly<Record<string, string>> = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff"
}

/** How long what a refused client still sends is read and dropped, so that it gets to read its answer, in ms. */
const lingerTimeout = 1_000

const bodyOf = ({ error }: ErrorResponse) => (error === undefined ? "" : JSON.stringify({ error }))

const headersOf = (refusal: ErrorResponse, body: string) => ({
  ...fixedHeaders,
  ...(body === "" ? {} : { "Content-Type": "application/json", "Content-Length": String(Buffer.byteLength(body)) }),
  ...refusal.headers
})

/** Whether a refusal ends its connection. */
export const isClosing = ({ headers }: ErrorResponse): boolean => headers?.["Connection"] === "close"

/** Answer a request with a refusal. */
export const sendError = (request: IncomingMessage, response: ServerResponse, refusal: ErrorResponse): void => {
  const body = bodyOf(refusal)
  response.writeHead(refusal.status, headersOf(refusal, body))
  if (request.complete || !isClosing(refusal)) {
    response.end(body)
    return
  }
  // Closing while the client still sends would reset the connection before it has read the answer.
  if (request.method !== "HEAD") response.write(body)
  const end = () => {
    clearTimeout(timer)
    response.end()
  }
  const timer = setTimeout(end, lingerTimeout)
  request.once("close", end).resume()
}

/** Answer on a connection for which Node has no response, and close it. */
export const sendErrorAndClose = (socket: Duplex, refusal: ErrorResponse): void => {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const body = bodyOf(refusal)
  const headers = Object.entries({ ...headersOf(refusal, body), ...closing })
  const head = [`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`]
    .concat(headers.map(([name, value]) => `${name}: ${value}`))
    .join("\r\n")
  socket.end(`${head}\r\n\r\n${body}`)
}
