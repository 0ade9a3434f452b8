import type { ServerResponse } from "node:http"
import type * as HttpApp from "@effect/platform/HttpApp"
import type { HttpBody } from "@effect/platform/HttpBody"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import type { HttpServerResponse } from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import { type ErrorResponse, fixedHeaders, sendError } from "./ErrorResponse.ts"
import type { JsonRequest } from "./JsonRequest.ts"
import type { Handler } from "./RequestBody.ts"

/** Up to here, in bytes, one write of a copy is quicker than two writes. */
const smallBody = 64 * 1024

/**
 * What is sent of a body; of a small one its bytes as a latin1 string: Node sends the headers and a string in one write,
 * bytes in another.
 */
const contentOf = (body: HttpBody): string | Buffer | undefined => {
  switch (body._tag) {
    case "Empty":
      return ""
    case "Uint8Array": {
      const { buffer, byteLength, byteOffset } = body.body
      const bytes = Buffer.from(buffer, byteOffset, byteLength)
      return byteLength > smallBody ? bytes : bytes.toString("latin1")
    }
    default:
      return undefined
  }
}

const internalError: ErrorResponse = { status: 500, error: "internal error" }

/** Send what the API answers. */
const respond = (request: JsonRequest, response: ServerResponse, answer: HttpServerResponse): void => {
  const content = contentOf(answer.body)
  if (content === undefined) {
    sendError(request.source, response, internalError)
    return
  }
  const headers = ["content-length", String(content.length)]
  for (const name in fixedHeaders) headers.push(name, fixedHeaders[name] ?? "")
  for (const name in answer.headers) {
    if (name !== "content-length") headers.push(name, answer.headers[name] ?? "")
  }
  response.writeHead(answer.status, headers)
  if (request.method === "HEAD") response.end()
  else response.end(content, "latin1")
}

const due: Array<() => void> = []

/**
 * Send the answers of this turn of the event loop one after the other: each write to a socket may wake its reader, which
 * costs the system more when it does nothing else in between.
 */
const together = (send: () => void): void => {
  if (due.push(send) > 1) return
  setImmediate(() => {
    for (const each of due.splice(0)) each()
  })
}

/**
 * Run the API on each request. A client that goes away does not interrupt what it asked for: it is short, and a write
 * that shares its transaction with others cannot stop half-way.
 */
export const answering =
  (runtime: Runtime.Runtime<never>, app: HttpApp.Default<unknown>): Handler =>
  (request, response) => {
    // The app carries the services of its own; the platform copies what is given here several times a request.
    const context = Context.make(HttpServerRequest, request)
    Runtime.runFork(Runtime.make({ ...runtime, context }), app).addObserver((exit) =>
      together(() => {
        if (Exit.isSuccess(exit)) respond(request, response, exit.value)
        else sendError(request.source, response, internalError)
      })
    )
  }
