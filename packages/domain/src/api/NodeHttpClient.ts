import { request as httpRequest, type IncomingMessage } from "node:http"
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
const noConnection = () => Object.assign(new Error("no connection in time"), { code: "ETIMEDOUT" })

/** A response whose body has been read to its end. */
class CollectedResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly remoteAddress = Option.none()
  readonly cookies = Cookies.empty
  readonly request: HttpClientRequest
  readonly #message: IncomingMessage
  readonly #body: Buffer

  constructor(request: HttpClientRequest, message: IncomingMessage, body: Buffer) {
    super()
    this.request = request
    this.#message = message
    this.#body = body
  }

  get status(): number {
    return this.#message.statusCode ?? 0
  }

  get headers(): Headers.Headers {
    return Headers.fromInput(this.#message.headersDistinct)
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

const send = (request: HttpClientRequest, socketPath: string | undefined) =>
  Effect.async<HttpClientResponse.HttpClientResponse, HttpClientError>((resume) => {
    const { method, headers, body } = request
    const query = UrlParams.toString(request.urlParams)
    const base = loopbackUrl(request.url)
    const url = query === "" ? base : `${base}?${query}`
    const route = socketPath === undefined ? {} : { socketPath }
    const fail = (cause: unknown) => resume(new RequestError({ request, reason: "Transport", cause }))
    const outgoing = httpRequest(url, { ...route, method, headers, agent: false }, (message) => {
      const chunks: Array<Buffer> = []
      let size = 0
      const unusable = (description: string) => {
        const response = new CollectedResponse(request, message, Buffer.alloc(0))
        resume(new ResponseError({ request, response, reason: "Decode", description }))
      }
      message.on("data", (chunk: Buffer) => {
        size += chunk.length
        if (size <= maxBody) {
          chunks.push(chunk)
          return
        }
        outgoing.destroy()
        unusable(`it is larger than ${maxBody / 1024 / 1024} MiB`)
      })
      message.on("error", fail)
      message.on("end", () => {
        const body = Buffer.concat(chunks)
        if (size > deepSize && isDeep(body)) return unusable("it is nested too deeply")
        resume(Effect.succeed(new CollectedResponse(request, message, body)))
      })
    })
    const timer = setTimeout(() => outgoing.destroy(noConnection()), connectTimeout)
    outgoing.on("socket", (socket) => socket.once("connect", () => clearTimeout(timer)))
    outgoing.on("error", fail)
    outgoing.on("close", () => clearTimeout(timer))
    outgoing.end(body._tag === "Uint8Array" ? body.body : undefined)
    return Effect.sync(() => outgoing.destroy())
  })

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
