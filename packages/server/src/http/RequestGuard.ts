import type { IncomingMessage } from "node:http"
import { closing, type ErrorResponse } from "./ErrorResponse.ts"
import { tooLarge } from "./RequestBody.ts"
import type { RouteTable } from "./RouteTable.ts"

/** A request that may go on to the API. */
export interface AcceptedRequest {
  /** Largest JSON body that the API reads from it, in bytes; 0 when it reads none. */
  readonly maxBody: number
}

const loopbackHost = /^(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{0,5})?$/i

// As Node recognizes it.
const continueExpectation = /(?:^|\W)100-continue(?:$|\W)/i

const crossSite = /^\s*(cross-site|same-site)\s*$/i

/**
 * Who may talk to the server: any local program, and web pages that it served itself; no other page in the user's
 * browser, whether it sends requests across sites or has rebound a name of its own to this address.
 */
export const checkHostAndOrigin = ({
  httpVersion,
  rawHeaders,
  url = ""
}: IncomingMessage): ErrorResponse | undefined => {
  if (httpVersion !== "1.1" && httpVersion !== "1.0") {
    return { status: 505, error: "this server speaks HTTP/1.1 and HTTP/1.0 only", headers: closing }
  }
  if (!url.startsWith("/") || url.includes("#"))
    return { status: 400, error: "the request target must be a path", headers: closing }
  // The headers as they came: of some, Node itself keeps only the first.
  const hosts: Array<string> = []
  const origins: Array<string> = []
  let forbidden = false
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const value = rawHeaders[index + 1] ?? ""
    switch (rawHeaders[index]?.toLowerCase()) {
      case "host":
        hosts.push(value)
        break
      case "origin":
        origins.push(value)
        break
      case "sec-fetch-site":
        forbidden ||= crossSite.test(value)
        break
    }
  }
  const [host] = hosts
  if (hosts.length > 1 || (host === undefined && httpVersion !== "1.0")) {
    return { status: 400, error: "exactly one Host header is required", headers: closing }
  }
  if (host !== undefined && !loopbackHost.test(host)) return { status: 403, error: "forbidden host", headers: closing }
  const own = host === undefined ? undefined : `http://${host}`.toLowerCase()
  if (forbidden || origins.some((origin) => origin.toLowerCase() !== own)) {
    return { status: 403, error: "forbidden origin", headers: closing }
  }
  return undefined
}

const isDecodable = (url: string): boolean => {
  try {
    decodeURIComponent(url)
    return true
  } catch {
    return false
  }
}

/** Decide over a request by its line and its headers alone, before its body is read. */
export const checkRequest = (request: IncomingMessage, routes: RouteTable): ErrorResponse | AcceptedRequest => {
  const { headers, method = "", url = "" } = request
  const refused = checkHostAndOrigin(request)
  if (refused !== undefined) return refused
  if (headers.expect !== undefined && request.httpVersion === "1.1" && !continueExpectation.test(headers.expect)) {
    return { status: 417, error: "unknown expectation", headers: closing }
  }
  if (headers.upgrade !== undefined && /\bupgrade\b/i.test(headers.connection ?? "")) {
    return {
      status: 426,
      error: "this server speaks plain HTTP/1.1 only",
      headers: { ...closing, Upgrade: "HTTP/1.1" }
    }
  }
  if (url.includes("%") && !isDecodable(url)) {
    return { status: 400, error: "the request target is not valid percent-encoded UTF-8" }
  }
  const query = url.indexOf("?")
  const route = routes.lookup(query === -1 ? url : url.slice(0, query))
  if (route === undefined) return { status: 404, error: "not found" }
  const allow = { Allow: [...route.methods, "OPTIONS"].join(", ") }
  if (method === "OPTIONS") return { status: 204, headers: allow }
  if (!route.methods.has(method)) return { status: 405, error: "method not allowed", headers: allow }
  const maxBody = route.maxBody.get(method) ?? 0
  if (maxBody > 0 && Number(headers["content-length"] ?? 0) > maxBody) return tooLarge(maxBody)
  if (headers["transfer-encoding"] !== undefined && headers["transfer-encoding"].toLowerCase() !== "chunked") {
    return { status: 501, error: "only the chunked transfer encoding is known", headers: closing }
  }
  return { maxBody }
}
