import type { IncomingMessage } from "node:http"
import * as Cookies from "@effect/platform/Cookies"
import * as Headers from "@effect/platform/Headers"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import { type HttpMethod, isHttpMethod } from "@effect/platform/HttpMethod"
import { RequestError } from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { MultipartError } from "@effect/platform/Multipart"
import * as UrlParams from "@effect/platform/UrlParams"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { parseBody } from "./RequestBody.ts"

interface Overrides {
  readonly url?: string
  readonly headers?: Headers.Headers
  readonly remoteAddress?: string
}

/** The target with a path that the platform's router takes as it is written: it decodes `%` and stops at a semicolon. */
const literalPath = (target: string): string => {
  if (!/[%;]/.test(target)) return target
  const [path = "", ...query] = target.split("?")
  return [path.replace(/[%;]/g, encodeURIComponent), ...query].join("?")
}

const noBody = new Uint8Array()

/**
 * A request that the guard has accepted, as the API's platform sees it. Its body has been read and is JSON whatever its
 * `Content-Type` says; the platform's own request has another decoder for each type, and no limit.
 */
export class JsonRequest extends Inspectable.Class implements HttpServerRequest.HttpServerRequest {
  readonly [HttpServerRequest.TypeId]: HttpServerRequest.TypeId = HttpServerRequest.TypeId
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly source: IncomingMessage
  readonly url: string
  readonly #body: Uint8Array
  readonly #overrides: Overrides

  constructor(source: IncomingMessage, body: Uint8Array = noBody, overrides: Overrides = {}) {
    super()
    this.source = source
    this.url = overrides.url ?? literalPath(this.originalUrl)
    this.#body = body
    this.#overrides = overrides
  }

  get originalUrl(): string {
    return this.source.url ?? "/"
  }

  get method(): HttpMethod {
    const { method = "GET" } = this.source
    return isHttpMethod(method) ? method : "GET"
  }

  get headers(): Headers.Headers {
    if (this.#overrides.headers !== undefined) return this.#overrides.headers
    const headers: Record<string, string> = {}
    const { rawHeaders } = this.source
    for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
      headers[rawHeaders[index]?.toLowerCase() ?? ""] = rawHeaders[index + 1] ?? ""
    }
    headers["content-type"] = "application/json"
    return Headers.unsafeFromRecord(headers)
  }

  get remoteAddress(): Option.Option<string> {
    return Option.fromNullable(this.#overrides.remoteAddress ?? this.source.socket.remoteAddress)
  }

  get cookies(): Readonly<Record<string, string>> {
    return Cookies.parseHeader(this.source.headers.cookie ?? "")
  }

  /** The JSON object in the body; fails when there is none. */
  get json(): Effect.Effect<object, RequestError> {
    return Effect.suspend(() => {
      const value = parseBody(this.#body)
      if (value !== undefined) return Effect.succeed(value)
      return new RequestError({ request: this, reason: "Decode", description: "invalid JSON" })
    })
  }

  get text(): Effect.Effect<string> {
    return Effect.sync(() => new TextDecoder().decode(this.#body))
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams> {
    return Effect.map(this.text, (text) => UrlParams.fromInput(new URLSearchParams(text)))
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer> {
    return Effect.sync(() => Uint8Array.from(this.#body).buffer)
  }

  get stream(): Stream.Stream<Uint8Array> {
    return Stream.succeed(this.#body)
  }

  get multipart(): Effect.Effect<never, MultipartError> {
    return new MultipartError({ reason: "Parse", cause: "the body is JSON" })
  }

  get multipartStream(): Stream.Stream<never, MultipartError> {
    return Stream.fail(new MultipartError({ reason: "Parse", cause: "the body is JSON" }))
  }

  get upgrade(): Effect.Effect<never, RequestError> {
    return new RequestError({ request: this, reason: "Decode", description: "the guard refuses upgrades" })
  }

  modify(overrides: Overrides): JsonRequest {
    return new JsonRequest(this.source, this.#body, { ...this.#overrides, ...overrides })
  }

  toJSON(): unknown {
    return { _id: "JsonRequest", method: this.method, url: this.url }
  }
}
