import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Allocation } from "@port-server/domain/Allocation"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as EventLoop from "../runtime/EventLoop.ts"

const encodePage = Schema.encode(Schema.parseJson(Schema.Array(Allocation)))

/** The bytes of a page's items, without the brackets around them; then others are served. */
const encodeItems = (page: ReadonlyArray<Allocation>) =>
  Effect.orDie(encodePage(page)).pipe(
    Effect.map((text) => Buffer.from(text.slice(1, -1))),
    Effect.zipLeft(EventLoop.turn)
  )

/** A list as the API declares it; a long one is encoded page by page, so that other requests are served in between. */
export const encodePages = Effect.fnUntraced(function* (pages: ReadonlyArray<ReadonlyArray<Allocation>>) {
  const [first = [], ...others] = pages
  if (others.length === 0) return first
  const encoded = yield* Effect.forEach(pages, encodeItems)
  const items = encoded.filter(({ length }) => length > 0)
  const parts = items.flatMap((item, index) => [Buffer.from(index === 0 ? "[" : ","), item])
  return HttpServerResponse.uint8Array(Buffer.concat([...parts, Buffer.from("]")]), { contentType: "application/json" })
})
