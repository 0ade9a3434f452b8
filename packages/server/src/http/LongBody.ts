import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Stream from "effect/Stream"

/** A long body, in parts that are written one after the other as its client reads. */
export type Parts = ReadonlyArray<Uint8Array>

/** How many bytes the parts have. */
export const lengthOf = (parts: Parts): number => parts.reduce((sum, { byteLength }) => sum + byteLength, 0)

/** A response with such a body. */
export const response = (parts: Parts, options: { readonly status?: number; readonly contentType?: string } = {}) =>
  HttpServerResponse.stream(Stream.fromIterable(parts), {
    contentType: "application/json",
    ...options,
    contentLength: lengthOf(parts)
  })
