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
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

/** How long the connection may take, in ms. */
const connectTimeout = 2_000

/** Largest response body, in bytes: far more than a page of any list takes. */
const maxBody = 16 * 1024 * 1024

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

const send = (request: HttpClientRequest) =>
  Effect.async<HttpClientResponse.HttpClientResponse, HttpClientError>((resume) => {
    const { method, headers, body } = request
    const query = UrlParams.toString(request.urlParams)
    const base = loopbackUrl(request.url)
    const url = query === "" ? base : `${base}?${query}`
    const fail = (cause: unknown) => resume(new RequestError({ request, reason: "Transport", cause }))
    const outgoing = httpRequest(url, { method, headers, agent: false }, (message) => {
      const chunks: Array<Buffer> = []
      let size = 0
      message.on("data", (chunk: Buffer) => {
        size += chunk.length
        if (size <= maxBody) {
          chunks.push(chunk)
          return
        }
        outgoing.destroy()
        const response = new CollectedResponse(request, message, Buffer.alloc(0))
        const description = `it is larger than ${maxBody / 1024 / 1024} MiB`
        resume(new ResponseError({ request, response, reason: "Decode", description }))
      })
      message.on("error", fail)
      message.on("end", () => resume(Effect.succeed(new CollectedResponse(request, message, Buffer.concat(chunks)))))
    })
    const timer = setTimeout(() => outgoing.destroy(noConnection()), connectTimeout)
    outgoing.on("socket", (socket) => socket.once("connect", () => clearTimeout(timer)))
    outgoing.on("error", fail)
    outgoing.on("close", () => clearTimeout(timer))
    outgoing.end(body._tag === "Uint8Array" ? body.body : undefined)
    return Effect.sync(() => outgoing.destroy())
  })

/**
 * Keep Node from loading all of fetch (28-54 ms on Node 22 and later) for a name: the derived client tests each payload
 * with `instanceof FormData`, and none here is a form. Defining the property instead of setting it would load fetch too.
 */
export const avoidLoadingFetch = (): void => {
  Reflect.set(globalThis, "FormData", class FormData {})
}

/**
 * An HTTP client for small requests on this machine: one connection each, without a pool, closed with the response. The
 * platform's own clients load TLS, pools and streams first, which costs a short command more than its request.
 */
export const layer: Layer.Layer<HttpClient.HttpClient> = Layer.succeed(
  HttpClient.HttpClient,
  HttpClient.makeWith<never, never, HttpClientError, never>(Effect.flatMap(send), Effect.succeed)
)
