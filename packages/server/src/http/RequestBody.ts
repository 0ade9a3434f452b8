import type { IncomingMessage, ServerResponse } from "node:http"
import type { Connections } from "./Connections.ts"
import { closing, type ErrorResponse, sendError } from "./ErrorResponse.ts"
import { JsonRequest } from "./JsonRequest.ts"

/** Deepest nesting of a JSON body. */
const maxDepth = 32

/** Said of a body over so many bytes. */
export const tooLarge = (maxBody: number): ErrorResponse => ({
  status: 413,
  error: `the body is larger than ${maxBody} bytes`,
  headers: closing
})

/** Said of a body that is not one JSON object. */
const invalidJson: ErrorResponse = { status: 400, error: "invalid JSON" }

const nestsDeeper = (value: unknown, levels: number): boolean =>
  typeof value === "object" &&
  value !== null &&
  (levels === 0 || Object.values(value).some((inner) => nestsDeeper(inner, levels - 1)))

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** The JSON object in a body; none when the body is not one, or is not UTF-8, or nests deeper than {@link maxDepth}. */
const parseBody = (bytes: Uint8Array): object | undefined => {
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes))
    return typeof value === "object" && value !== null && !Array.isArray(value) && !nestsDeeper(value, maxDepth)
      ? value
      : undefined
  } catch {
    return undefined
  }
}

/** What takes a request on. */
export type Handler = (request: JsonRequest, response: ServerResponse) => void

/** Read a JSON body of at most so many bytes, then go on. */
export const readBody = (
  request: IncomingMessage,
  response: ServerResponse,
  connections: Connections,
  maxBody: number,
  handler: Handler
): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  const onData = (chunk: Buffer) => {
    size += chunk.length
    if (size <= maxBody) {
      chunks.push(chunk)
    } else {
      request.off("data", onData).off("end", onEnd)
      connections.end(request.socket)
      sendError(request, response, tooLarge(maxBody))
    }
  }
  const onEnd = () => {
    const body = parseBody(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks))
    if (body === undefined) {
      sendError(request, response, invalidJson)
    } else {
      handler(new JsonRequest(request, body), response)
    }
  }
  // A client that went away half-way is not an error of anybody here.
  request
    .on("data", onData)
    .on("end", onEnd)
    .on("error", () => {})
}
