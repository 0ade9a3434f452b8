import * as Data from "effect/Data"
import * as Predicate from "effect/Predicate"
import type { Address } from "../ServerAddress.ts"

/** Nothing responds as port-server at `address`: connection refused, no such host, no route, or no response in time. */
export class ServerUnreachable extends Data.TaggedError("ServerUnreachable")<{
  readonly address: string
  /** The system's code, such as `ECONNREFUSED`; missing when there was no response in time. */
  readonly code?: string
  /** What the HTTP client failed with. */
  readonly cause?: unknown
}> {
  /** Whether nothing listens there. */
  get isRefused(): boolean {
    return this.code === "ECONNREFUSED" || (this.code === "ENOENT" && this.address.startsWith("unix:"))
  }

  override get message(): string {
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
}> {}

/** Error message for a response that is not port-server's. */
export const notPortServerMessage = (address: Address, status: number): string =>
  `what answers at ${address} is not a port-server that this program understands (status ${status})`
