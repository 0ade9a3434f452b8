import * as Predicate from "effect/Predicate"
import type { ErrorResponse } from "./ErrorResponse.ts"

/** Limits of a connection, in ms and bytes, for clients that are slow on purpose or by accident. */
export const limits = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 16_384,
  // The guard reports in JSON what Node would report without a body.
  requireHostHeader: false
}

/** How long a connection may be without a byte in either direction, in ms; also if its client does not read the response. */
export const socketTimeout = 20_000

/** Node drops the headers beyond this number without an error, and the guard must see them all; 0: no limit. */
export const maxHeadersCount = 0

/** The response to what Node's parser gave up on. */
export const parserError = (error: unknown): ErrorResponse => {
  switch (Predicate.hasProperty(error, "code") ? error.code : undefined) {
    case "HPE_HEADER_OVERFLOW":
      return { status: 431, error: `the request headers are larger than ${limits.maxHeaderSize} bytes` }
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { status: 408, error: "the request took too long" }
    default:
      return { status: 400, error: "the request is not valid HTTP/1.1" }
  }
}
