import type { IncomingMessage, ServerResponse } from "node:http"
import * as Effect from "effect/Effect"
import { requestLine } from "./BugLog.ts"
import { type ErrorResponse, writeError } from "./ErrorResponse.ts"
import type { ByteBudget } from "./PendingBytes.ts"

/**
 * A request and the only owner of its response. Whatever ends the request, the API's result, a refusal, Node's parser, a
 * timeout, has to {@link Exchange.take} the response before it writes, and there is one to take only once.
 */
export class Exchange {
  readonly request: IncomingMessage
  readonly #unsent: ByteBudget
  #response: ServerResponse | undefined
  #bytes = 0
  #isClosed = false
  #onClose: (() => void) | undefined

  /** @param onClose the response is sent, or its connection is closed */
  constructor(request: IncomingMessage, response: ServerResponse, unsent: ByteBudget, onClose: () => void) {
    this.request = request
    this.#response = response
    this.#unsent = unsent
    // A client that goes away is no error of the server's.
    request.on("error", () => {})
    response.on("error", () => {})
    response.once("close", () => {
      this.#response = undefined
      this.#isClosed = true
      unsent.remove(this.#bytes)
      this.#onClose?.()
      onClose()
    })
  }

  /** The request as one line of the log. */
  get requestLine(): string {
    return requestLine(this.request.method, this.request.url)
  }

  /** Whether no response has been taken, and the client is still there. */
  get isPending(): boolean {
    return this.#response !== undefined
  }

  /**
   * Call back once the response is sent, or its connection closed; at once where it is already. Node tells a request that it
   * is cut off only as long as that has no response.
   */
  whenClosed(onClose: () => void): void {
    if (this.#isClosed) onClose()
    else this.#onClose = onClose
  }

  /** The response, to be written by the caller; nothing when another one has taken it, or when the client has gone. */
  take(): ServerResponse | undefined {
    const response = this.#response
    this.#response = undefined
    return response
  }

  /** Count the bytes of the response until they are sent. */
  hold(bytes: number): void {
    this.#bytes += bytes
    this.#unsent.add(bytes)
  }

  /** Count bytes of the response for as long as they are being sent. */
  holding(bytes: number, sending: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.acquireUseRelease(
      Effect.sync(() => this.#unsent.add(bytes)),
      () => sending,
      () => Effect.sync(() => this.#unsent.remove(bytes))
    )
  }

  /** Respond with an error, unless a response has been taken. */
  fail(error: ErrorResponse): void {
    const response = this.take()
    if (response !== undefined) writeError(this.request, response, error)
  }

  /** Let the client send its body (`Expect: 100-continue`). */
  continue(): void {
    this.#response?.writeContinue()
  }
}
