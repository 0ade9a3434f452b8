import * as Data from "effect/Data"
import type { ServerAddress } from "../ServerAddress.ts"

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
    return this.code === "ECONNREFUSED"
  }

  override get message(): string {
    return `cannot reach port-server at ${this.address}`
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
export const notPortServerMessage = (address: ServerAddress, status: number): string =>
  `what answers at ${address} is not a port-server that this program understands (status ${status})`
