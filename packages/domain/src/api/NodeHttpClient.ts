import { connect } from "node:net"
import * as Cookies from "@effect/platform/Cookies"
import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import { type HttpClientError, RequestError, ResponseError } from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import * as UrlParams from "@effect/platform/UrlParams"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { codedError } from "../SystemError.ts"
import { type HttpResponse, isToken, readResponse } from "./HttpResponse.ts"

/** How long the connection may take, in ms. */
const connectTimeout = 2_000

/** Largest response body, in bytes: far more than a page of any list takes. */
const maxBody = 16 * 1024 * 1024

/** Deepest nesting that is read: far more than any answer has. */
const maxDepth = 64

/** Smallest body whose nesting is looked at, in bytes: V8 takes up to 85 times as much memory to parse `[[[…`. */
const deepSize = 256 * 1024

/** Whether a JSON text is nested more deeply than any answer is. */
const isDeep = (json: Uint8Array): boolean => {
  let [depth, isText] = [0, false]
  for (let index = 0; index < json.length; index++) {
    const char = json[index]
    if (isText) {
      if (char === 0x5c) index++
      else if (char === 0x22) isText = false
    } else if (char === 0x22) isText = true
    else if (char === 0x5b || char === 0x7b) {
      if (++depth > maxDepth) return true
    } else if (char === 0x5d || char === 0x7d) depth--
  }
  return false
}

/** The error that the system itself would report, only later. */
const noConnection = () => codedError("ETIMEDOUT", "no connection in time")

/** A response whose body has been read to its end. */
class CollectedResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly remoteAddress = Option.none()
  readonly cookies = Cookies.empty
  readonly request: HttpClientRequest
  readonly status: number
  readonly headers: Headers.Headers
  readonly #body: Buffer

  constructor(request: HttpClientRequest, { body = Buffer.alloc(0), headers, status }: HttpResponse) {
    super()
    this.request = request
    this.status = status
    this.headers = Headers.unsafeFromRecord(headers)
    this.#body = body
  }

  get text(): Effect.Effect<string> {
    return Effect.succeed(this.#body.toString("utf8"))
  }

  get json(): Effect.Effect<unknown, ResponseError> {
    return Effect.try({
      try: (): unknown => JSON.parse(this.#body.toString("utf8")),
      catch: (cause) => new ResponseError({ request: this.request, response: this, reason: "Decode", cause })
    })
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams> {
    return Effect.map(this.text, (text) => UrlParams.fromInput(new URLSearchParams(text)))
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer> {
    return Effect.succeed(new Uint8Array(this.#body).buffer)
  }

  get stream(): Stream.Stream<Uint8Array> {
    return Stream.succeed(this.#body)
  }

  get formData(): Effect.Effect<FormData, ResponseError> {
    return Effect.fail(new ResponseError({ request: this.request, response: this, reason: "Decode" }))
  }

  toJSON(): unknown {
    return { _id: "CollectedResponse", status: this.status }
  }
}

/** The URL of a port-server, which listens at 127.0.0.1 also where `localhost` means ::1. */
export const loopbackUrl = (url: string): string => url.replace(/^http:\/\/localhost(?=[:/])/i, "http://127.0.0.1")

const headerValue = /^[\t -~\x80-\xff]*$/

/** The request as it is sent; throws where the method or a header could be taken for more than that. */
export const encode = ({ body, headers, method }: HttpClientRequest, { host, pathname, search }: URL): Buffer => {
  const bytes = body._tag === "Uint8Array" ? body.body : undefined
  const fields = Object.entries(headers).filter(([name]) => name !== "content-length")
  if (bytes !== undefined || method !== "GET") fields.push(["content-length", String(bytes?.length ?? 0)])
  if (!isToken(method) || !fields.every(([name, value]) => isToken(name) && headerValue.test(value))) {
    throw new TypeError("a header has a character that none may have")
  }
  const lines = [["host", host], ["connection", "close"], ...fields].map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `${method} ${pathname}${search} HTTP/1.1\r\n${lines.join("")}\r\n`
  return Buffer.concat([Buffer.from(head, "latin1"), ...(bytes === undefined ? [] : [bytes])])
}

const transportError = (request: HttpClientRequest) => (cause: unknown) =>
  new RequestError({ request, reason: "Transport", cause })

/** Where a request goes, and its bytes. */
const prepare = (request: HttpClientRequest, path: string | undefined) => {
  const query = UrlParams.toString(request.urlParams)
  const base = loopbackUrl(request.url)
  const url = new URL(query === "" ? base : `${base}?${query}`)
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
  const route = path === undefined ? { host, port: Number(url.port || 80) } : { path }
  return { bytes: encode(request, url), route }
}

/** Send a request on a connection of its own, and read the response to its end. */
const exchange = (request: HttpClientRequest, { bytes, route }: ReturnType<typeof prepare>) =>
  Effect.async<HttpClientResponse.HttpClientResponse, HttpClientError>((resume) => {
    const socket = connect(route)
    const close = () => {
      clearTimeout(timer)
      socket.destroy()
    }
    const end = (result: Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError>) => {
      close()
      resume(result)
    }
    const fail = (cause: unknown) => end(transportError(request)(cause))
    const timer = setTimeout(() => fail(noConnection()), connectTimeout)
    const reader = readResponse(request.method, maxBody)
    reader.next()
    const read = (chunk: Buffer | undefined) => {
      try {
        const { done, value } = reader.next(chunk)
        if (done !== true) return
        const response = new CollectedResponse(request, value)
        const unusable = (description: string) =>
          end(new ResponseError({ request, response, reason: "Decode", description }))
        if (value.body === undefined) unusable(`it is larger than ${maxBody / 1024 / 1024} MiB`)
        else if (value.body.length > deepSize && isDeep(value.body)) unusable("it is nested too deeply")
        else end(Effect.succeed(response))
      } catch (error) {
        fail(error)
      }
    }
    socket.on("connect", () => clearTimeout(timer)).on("data", read)
    socket.on("error", fail).on("end", () => read(undefined))
    socket.write(bytes)
    return Effect.sync(close)
  })

const send = (request: HttpClientRequest, path: string | undefined) =>
  Effect.try({ try: () => prepare(request, path), catch: transportError(request) }).pipe(
    Effect.flatMap((prepared) => exchange(request, prepared))
  )

/**
 * An HTTP client for small requests: one connection each, without a pool, closed with the response. The platform's own
 * clients load TLS, pools and streams first, which costs a short program more than its request, and know no Unix sockets.
 *
 * @param socketPath a Unix socket to connect to, whatever the host of the URL is
 */
export const make = (socketPath?: string): HttpClient.HttpClient =>
  HttpClient.makeWith<never, never, HttpClientError, never>(
    Effect.flatMap((request) => send(request, socketPath)),
    Effect.succeed
  )
