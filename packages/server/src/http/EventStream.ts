import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { StorageUnavailable } from "@port-server/domain/Errors"
import { type EventStreamQuery, ListenersChange, RegistryEvent, StreamReset } from "@port-server/domain/Event"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Events, type News } from "../registry/Events.ts"

/** Most streams at a time: with what waits for a slow reader of each, they stay far below what may wait for clients. */
const maxStreams = 128

/** How soon a browser connects again, in ms. */
const reconnection = 1_000

const tooMany = new StorageUnavailable({ message: "too many event streams are open, try again", retryAfter: 1 })

const encodeEvent = Schema.encodeSync(Schema.parseJson(RegistryEvent))
const encodeChange = Schema.encodeSync(Schema.parseJson(ListenersChange))
const encodeReset = Schema.encodeSync(Schema.parseJson(StreamReset))

const bytesOf = (text: string): Uint8Array => Buffer.from(text)

/** Encoded once for all who are sent the same. */
const encoded = new WeakMap<object, Uint8Array>()

const eventsOf = (events: ReadonlyArray<RegistryEvent>): Uint8Array => {
  const known = encoded.get(events)
  if (known !== undefined) return known
  const bytes = bytesOf(
    events.map((event) => `id: ${event.id}\nevent: ${event.kind}\ndata: ${encodeEvent(event)}\n\n`).join("")
  )
  encoded.set(events, bytes)
  return bytes
}

/** News as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
const encode = (news: News): Uint8Array => {
  switch (news._tag) {
    case "Events":
      return eventsOf(news.events)
    case "Reset":
      return bytesOf(`id: ${news.last}\nevent: reset\ndata: ${encodeReset({ last: news.last })}\n\n`)
    case "Position":
      // Without data it is no event, but the client continues from there when it connects again.
      return bytesOf(`: heartbeat\nid: ${news.last}\n\n`)
    case "Listeners":
      return bytesOf(`event: listeners\ndata: ${encodeChange(news.change)}\n\n`)
  }
}

/** The responses that follow the events. */
export class EventStream extends Effect.Service<EventStream>()("@port-server/server/http/EventStream", {
  effect: Effect.gen(function* () {
    const events = yield* Events
    let open = 0

    /** Counted for as long as the request is worked on. */
    const slot = Effect.acquireRelease(
      Effect.suspend(() => {
        if (open >= maxStreams) return tooMany
        open++
        return Effect.void
      }),
      () => Effect.sync(() => open--)
    )

    return {
      /** The stream that a request asks for, from after the event that it saw last. */
      open: Effect.fnUntraced(function* ({ listeners, ...filter }: EventStreamQuery, lastEventId: string | undefined) {
        yield* slot
        const after =
          lastEventId === undefined ? undefined : /^\d{1,16}$/.test(lastEventId) ? Number(lastEventId) : Number.NaN
        const news = yield* events.follow({ filter, after, withListeners: listeners !== "false" && !filter.kind })
        return HttpServerResponse.stream(
          Stream.concat(Stream.succeed(bytesOf(`retry: ${reconnection}\n\n`)), Stream.map(news, encode)),
          { contentType: "text/event-stream" }
        )
      })
    } as const
  })
}) {}
