import type { IncomingMessage } from "node:http"
import { tokenHeader, tokenVariable } from "@port-server/domain/AccessToken"
import { isLoopbackHost } from "@port-server/domain/Loopback"
import { closing, type ErrorResponse } from "./ErrorResponse.ts"
import { tooLarge } from "./RequestBody.ts"
import type { RouteTable } from "./RouteTable.ts"

/** By which way requests come in. */
export interface Access {
  /** Whether only the user of this server can have sent the request, so that its Host does not matter. */
  readonly isPrivate: (request: IncomingMessage) => boolean
  /** Whether requests for a host, without its port, need a token. */
  readonly needsToken: (name: string) => boolean
  readonly isToken: (text: string) => boolean
}

/** A request that may go on to the API. */
export interface AcceptedRequest {
  /** Largest JSON body that the API reads from it, in bytes; 0 when it reads none. */
  readonly maxBody: number
}

const hostPort = /:[0-9]{0,5}$/

// As Node recognizes it.
const continueExpectation = /(?:^|\W)100-continue(?:$|\W)/i

const tokenName = tokenHeader.toLowerCase()

const withoutToken: ErrorResponse = {
  status: 403,
  error: `requests for this host need the header ${tokenHeader} (portctl sends ${tokenVariable}, or what ~/.port_server/token has)`,
  headers: closing
}

const crossSite = /^\s*(cross-site|same-site)\s*$/i

/**
 * Who may talk to the server: any local program, and web pages that it served itself; no other page in the user's
 * browser, whether it sends requests across sites or has rebound a name of its own to this address.
 */
export const checkHostAndOrigin = (request: IncomingMessage, access: Access): ErrorResponse | undefined => {
  const { httpVersion, rawHeaders, url = "" } = request
  if (httpVersion !== "1.1" && httpVersion !== "1.0") {
    return { status: 505, error: "this server speaks HTTP/1.1 and HTTP/1.0 only", headers: closing }
  }
  if (!url.startsWith("/") || url.includes("#"))
    return { status: 400, error: "the request target must be a path", headers: closing }
  // The headers as they came: of some, Node itself keeps only the first.
  const hosts: Array<string> = []
  const origins: Array<string> = []
  const tokens: Array<string> = []
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
      case tokenName:
        tokens.push(value)
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
  const name = host?.replace(hostPort, "")
  const isLoopback = name !== undefined && isLoopbackHost(name)
  const needsToken = name !== undefined && access.needsToken(name)
  const [token] = tokens
  if (needsToken && (token === undefined || tokens.length > 1 || !access.isToken(token))) return withoutToken
  if (host !== undefined && !isLoopback && !needsToken && !access.isPrivate(request)) {
    return { status: 403, error: "forbidden host", headers: closing }
  }
  // A page of any other name is foreign, also where a relay has brought its request to the socket.
  const own = isLoopback || needsToken ? `http://${host}`.toLowerCase() : undefined
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
export const checkRequest = (
  request: IncomingMessage,
  routes: RouteTable,
  access: Access
): ErrorResponse | AcceptedRequest => {
  const { headers, method = "", url = "" } = request
  const refused = checkHostAndOrigin(request, access)
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
