import * as Data from "effect/Data"
import * as Predicate from "effect/Predicate"
import type { Address } from "../ServerAddress.ts"

const closed = /^(ECONNRESET|EPIPE|ECONNABORTED|UND_ERR_SOCKET)$/
const unconnected =
  /^(ECONNREFUSED|ENOENT|ENOTFOUND|EAI_.*|ETIMEDOUT|E(HOST|NET)(UNREACH|DOWN)|EADDRNOTAVAIL|EACCES|EPERM|E[MN]FILE|UND_ERR_CONNECT_TIMEOUT)$/

/** Whether a connection was closed before the end of the response, by the code of the system or of Node's fetch. */
export const isClosedCode = (code: string): boolean => closed.test(code)

/** Whether there was no connection: nothing listens, no such host, no route, or a sandbox permits none. */
export const isUnconnectedCode = (code: string): boolean => unconnected.test(code)

/** No whole response came from `address`: connection refused, no such host, no route, cut off, or not in time. */
export class ServerUnreachable extends Data.TaggedError("ServerUnreachable")<{
  readonly address: string
  /** Whether nobody chose the address: it is the default one. */
  readonly isDefault: boolean
  /** The system's code, such as `ECONNREFUSED`; missing when there was no response in time. */
  readonly code?: string
  /** What the HTTP client failed with. */
  readonly cause?: unknown
  /** Whether the server may have made the change that it was asked for: it is not known that the request did not reach it. */
  readonly mayHaveChanged: boolean
}> {
  /** Whether nothing listens there. */
  get isRefused(): boolean {
    return this.code === "ECONNREFUSED" || (this.code === "ENOENT" && this.address.startsWith("unix:"))
  }

  /** Whether the connection was closed before the end of the response. */
  get isCutOff(): boolean {
    return isClosedCode(this.code ?? "")
  }

  override get message(): string {
    if (this.isCutOff) return `the connection to ${this.address} was closed before the end of the response`
    const { cause } = this
    const reason = Predicate.isTagged(cause, "TokenUnusable") && cause instanceof Error ? `: ${cause.message}` : ""
    return `cannot reach port-server at ${this.address}${reason}`
  }
}

/**
 * Something answered, but not as this API does: another program listens there, or another version. `status` is its
 * HTTP status; `message` its own `error` sentence where it gave one.
 */
export class UnexpectedResponse extends Data.TaggedError("UnexpectedResponse")<{
  readonly status: number
  readonly message: string
  /** Whether it is no response of a port-server that this program understands. */
  readonly isForeign: boolean
  /** Whether the change that was asked for may have been made, as by a server behind a proxy that gave this response. */
  readonly mayHaveChanged: boolean
}> {}

/** Error message for a response that is not port-server's. */
export const notPortServerMessage = (address: Address, status: number): string =>
  `what answers at ${address} is not a port-server that this program understands (status ${status})`
