import type { Duplex } from "node:stream"
import type { Exchange } from "./Exchange.ts"

/** Most requests of all connections that wait behind others of their connection: some 2 KiB each. */
const maxWaiting = 16_384

/** How many requests wait on all connections of a server. */
export class WaitingCount {
  value = 0

  /** Whether no connection may have more of them. */
  get isHigh(): boolean {
    return this.value > maxWaiting
  }

  /** Whether those that have been parsed already are too many, too. */
  get isExcessive(): boolean {
    return this.value > 2 * maxWaiting
  }
}

/** Requests of one connection that wait for the one before them. Its socket is not read as long as there are any. */
export class WaitingRequests {
  readonly #socket: Duplex
  readonly #count: WaitingCount
  #requests: Array<Exchange> = []
  #isHeld = false

  constructor(socket: Duplex, count: WaitingCount) {
    this.#socket = socket
    this.#count = count
    // Node resumes the socket after every request that it has parsed.
    socket.on("resume", () => {
      if (this.#isHeld) socket.pause()
    })
  }

  add(exchange: Exchange): void {
    this.#requests.push(exchange)
    this.#count.value++
    this.hold()
  }

  /** The next one, if there is one; behind the last, the socket is read again. */
  next(): Exchange | undefined {
    const next = this.#requests.shift()
    if (next === undefined) return undefined
    this.#count.value--
    if (this.#requests.length === 0) this.#release()
    return next
  }

  /** The last one, if its body has not come to its end. */
  get incomplete(): Exchange | undefined {
    const last = this.#requests.at(-1)
    return last?.request.complete === false ? last : undefined
  }

  clear(): void {
    this.#count.value -= this.#requests.length
    this.#requests = []
  }

  /** Stop reading the socket until the last of the requests is taken. */
  hold(): void {
    this.#isHeld = true
    this.#socket.pause()
  }

  #release(): void {
    this.#isHeld = false
    this.#socket.resume()
  }
}
