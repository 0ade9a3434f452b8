import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import * as Monotonic from "../runtime/Monotonic.ts"
import { busy, closing, type ErrorResponse, internalError, isClosing, writeErrorAndClose } from "./ErrorResponse.ts"
import { Exchange } from "./Exchange.ts"
import type { ByteBudget } from "./PendingBytes.ts"
import { type WaitingCount, WaitingRequests } from "./WaitingRequests.ts"

/** What the connections of a server share. */
export interface Shared {
  readonly waiting: WaitingCount
  readonly unsent: ByteBudget
  /** Works on an exchange; called again only when its response is sent. */
  readonly handle: (exchange: Exchange, connection: Connection) => void
  /** An exception that nothing else has caught. */
  readonly report: (error: unknown, requestLine: string) => void
}

/**
 * One connection. Its requests are worked on one after the other, each once the response to the one before is sent.
 * What follows a refused request is not taken for a request.
 */
export class Connection {
  readonly #socket: Duplex
  readonly #shared: Shared
  readonly #waiting: WaitingRequests
  #current: Exchange | undefined
  /** Nothing that comes from here on is a request. */
  #isClosing = false
  /** A request that waits and whose body cannot be read. */
  #broken: { readonly exchange: Exchange; readonly error: ErrorResponse } | undefined
  /** What is sent after the responses that are due. */
  #last: ErrorResponse | undefined
  #idleSince = Monotonic.now()

  constructor(socket: Duplex, shared: Shared) {
    this.#socket = socket
    this.#shared = shared
    this.#waiting = new WaitingRequests(socket, shared.waiting)
    // After a CONNECT, Node listens no more.
    socket.on("error", () => {})
    socket.on("close", () => this.#end())
  }

  /** A request has arrived. */
  accept(request: IncomingMessage, response: ServerResponse): void {
    if (this.#isClosing) {
      this.#waiting.hold()
      return
    }
    // Node takes these for the last of their connection, but reads on.
    this.#isClosing = !response.shouldKeepAlive
    const exchange: Exchange = new Exchange(request, response, this.#shared.unsent, () => this.#finish(exchange))
    if (this.#current === undefined) this.#start(exchange)
    else this.#wait(exchange)
  }

  /** Respond with an error; one that closes the connection ends what follows. */
  fail(exchange: Exchange, error: ErrorResponse): void {
    if (isClosing(error)) this.#end()
    exchange.fail(error)
  }

  /** A bug has met the exchange: respond with an error, or where a response has been begun, close the connection. */
  abort(exchange: Exchange): void {
    if (exchange.isPending) this.fail(exchange, internalError)
    else this.#socket.destroy()
  }

  /** What came cannot be read as a request, or timed out: respond after what is due before it, and close. */
  reject(error: ErrorResponse): void {
    const wasClosing = this.#isClosing
    this.#isClosing = true
    const isCurrent = this.#current?.isPending === true && !this.#current.request.complete
    const exchange = this.#waiting.incomplete ?? (isCurrent ? this.#current : undefined)
    if (exchange !== undefined) {
      this.#broken = { exchange, error: { ...error, headers: { ...error.headers, ...closing } } }
      if (isCurrent) this.fail(exchange, this.#broken.error)
    } else if (wasClosing) {
      if (this.#current === undefined && this.#socket.writable) this.#socket.end()
    } else if (this.#current === undefined) {
      writeErrorAndClose(this.#socket, error)
    } else {
      this.#last ??= error
    }
  }

  /** Run what Node calls: an exception ends this connection and nothing else. */
  guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#shared.report(error, this.#current?.requestLine ?? "no request")
      this.#socket.destroy()
    }
  }

  /** Close the connection if it has had no request for this many ms, once what was written is sent. */
  closeIfIdle(age: number): void {
    if (this.#current !== undefined || Monotonic.now() - this.#idleSince < age) return
    this.#socket.end(() => this.#socket.destroy())
  }

  #start(exchange: Exchange): void {
    this.#current = exchange
    const { error } = exchange === this.#broken?.exchange ? this.#broken : {}
    this.guard(() => (error === undefined ? this.#shared.handle(exchange, this) : this.fail(exchange, error)))
  }

  #wait(exchange: Exchange): void {
    this.#waiting.add(exchange)
    if (this.#shared.waiting.isExcessive) {
      this.#socket.destroy()
    } else if (this.#shared.waiting.isHigh) {
      this.#isClosing = true
      this.#last ??= busy
    }
  }

  #finish(exchange: Exchange): void {
    if (this.#current !== exchange) return
    this.#current = undefined
    this.#idleSince = Monotonic.now()
    if (!this.#socket.writable) return
    const next = this.#waiting.next()
    if (next !== undefined) this.#start(next)
    else if (this.#last !== undefined) writeErrorAndClose(this.#socket, this.#last)
  }

  /** Nothing that has come behind the current request is one. */
  #end(): void {
    this.#isClosing = true
    this.#waiting.clear()
  }
}
