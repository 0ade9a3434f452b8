import type { ServerResponse } from "node:http"
import type { HttpServerResponse } from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { fixedHeaders, internalError } from "./ErrorResponse.ts"
import type { Exchange } from "./Exchange.ts"
import type { WriteBatch } from "./WriteBatch.ts"

/** Up to here, in bytes, one write of a copy is quicker than two writes. */
const smallBody = 64 * 1024

const headersOf = ({ headers }: HttpServerResponse, length: number | undefined): Array<string> => {
  const all = length === undefined ? [] : ["content-length", String(length)]
  for (const name in fixedHeaders) all.push(name, fixedHeaders[name] ?? "")
  for (const name in headers) {
    if (name !== "content-length") all.push(name, headers[name] ?? "")
  }
  return all
}

/** Write a response whose bytes are there. Node sends the headers and a string in one write, bytes in another. */
const writeWhole = (exchange: Exchange, answer: HttpServerResponse, bytes: Uint8Array): void => {
  const response = exchange.take()
  if (response === undefined) return
  response.writeHead(answer.status, headersOf(answer, bytes.byteLength))
  if (exchange.request.method === "HEAD") {
    response.end()
    return
  }
  exchange.hold(bytes.byteLength)
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.byteLength > smallBody) response.end(buffer)
  else response.end(buffer.toString("latin1"), "latin1")
}

const onceOf = (response: ServerResponse, event: "close" | "drain"): Effect.Effect<void> =>
  Effect.async((resume) => {
    const done = () => resume(Effect.void)
    response.once(event, done)
    return Effect.sync(() => response.off(event, done))
  })

/** Write one chunk, let others be served, and wait until the client has taken it. */
const writeChunk = (response: ServerResponse, bytes: Uint8Array, batch: WriteBatch): Effect.Effect<void> =>
  Effect.zipRight(
    batch.addChunk(() => response.write(bytes)),
    Effect.suspend(() => (response.writableNeedDrain ? onceOf(response, "drain") : Effect.void))
  )

/** End a response; one without an end of its own does not wait for a client that does not read. */
const finish = (response: ServerResponse, isOpenEnded: boolean): void => {
  response.end()
  if (isOpenEnded && response.writableLength > 0) response.destroy()
}

/** When a client says that it sends no more: one that only listens has gone then. */
const endOfRequests = ({ request: { socket } }: Exchange): Effect.Effect<void> =>
  Effect.async((resume) => {
    const done = () => resume(Effect.void)
    if (socket.readableEnded) done()
    else socket.once("end", done)
    return Effect.sync(() => socket.off("end", done))
  })

/**
 * Write a response chunk by chunk, until its client goes away, or, when its length is not known, until `stopping` or
 * {@link endOfRequests}.
 */
const writeStream = (
  exchange: Exchange,
  answer: HttpServerResponse,
  body: { readonly stream: Stream.Stream<Uint8Array, unknown>; readonly contentLength?: number | undefined },
  batch: WriteBatch,
  stopping: Effect.Effect<void>
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const response = exchange.take()
    if (response === undefined) return Effect.void
    response.writeHead(answer.status, headersOf(answer, body.contentLength))
    if (exchange.request.method === "HEAD") return Effect.sync(() => response.end())
    const isOpenEnded = body.contentLength === undefined
    if (isOpenEnded) response.flushHeaders()
    const written = Stream.runForEach(body.stream, (bytes) =>
      isOpenEnded
        ? // Whoever has the length has counted it.
          exchange.holding(bytes.byteLength, writeChunk(response, bytes, batch))
        : writeChunk(response, bytes, batch)
    )
    return written.pipe(
      (work) => (isOpenEnded ? Effect.raceFirst(work, Effect.raceFirst(stopping, endOfRequests(exchange))) : work),
      Effect.raceFirst(onceOf(response, "close")),
      // The fiber of a request is not interruptible.
      Effect.interruptible,
      Effect.matchCauseEffect({
        // Without its end, the client knows that something is missing.
        onFailure: (cause) =>
          Effect.zipRight(
            Effect.sync(() => response.destroy()),
            Effect.failCause(cause)
          ),
        onSuccess: () => Effect.sync(() => finish(response, isOpenEnded))
      }),
      Effect.orDie
    )
  })

/** Send what the API responds; succeeds when it is handed to the client's socket. */
export const send = (
  exchange: Exchange,
  answer: HttpServerResponse,
  batch: WriteBatch,
  stopping: Effect.Effect<void>
): Effect.Effect<void> => {
  const { body } = answer
  switch (body._tag) {
    case "Empty":
      return batch.add(() => writeWhole(exchange, answer, new Uint8Array()))
    case "Uint8Array":
      return batch.add(() => writeWhole(exchange, answer, body.body))
    case "Stream":
      return writeStream(exchange, answer, body, batch, stopping)
    default:
      return Effect.sync(() => exchange.fail(internalError))
  }
}
