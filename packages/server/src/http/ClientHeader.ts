import type { IncomingMessage } from "node:http"
import { clientHeader, maxClientBytes } from "@port-server/domain/ClientHeader"
import type { ErrorResponse } from "./ErrorResponse.ts"
import { parseBody } from "./RequestBody.ts"

const name = clientHeader.toLowerCase()

const invalid: ErrorResponse = {
  status: 400,
  error: `the header ${clientHeader} must be a JSON object of at most ${maxClientBytes} bytes`
}

/** What the client of a request says about itself, as JSON; undefined if it says nothing. */
export const clientOf = ({ headers }: IncomingMessage): string | undefined | ErrorResponse => {
  const header = headers[name]
  if (header === undefined) return undefined
  // Node has read each byte as a character.
  const bytes = Buffer.from(String(header), "latin1")
  const value = bytes.length <= maxClientBytes ? parseBody(bytes) : undefined
  return value === undefined ? invalid : JSON.stringify(value)
}
