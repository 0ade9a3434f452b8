import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { EventQuery, EventStreamQuery, RegistryEvent } from "../../Event.ts"

/** `GET /v1/events` */
export const events = HttpApiEndpoint.get("events", "/v1/events")
  .setUrlParams(EventQuery)
  .addSuccess(Schema.Array(RegistryEvent))
  .annotate(OpenApi.Summary, "What happened to the allocations")
  .annotate(
    OpenApi.Description,
    "The newest events that match every filter given, before the event `before`; with `after` or `since`, the first ones after that event, at or after that time. The newest last. The newest 10,000 of all events are kept."
  )

const LastEventId = Schema.Struct({
  "last-event-id": Schema.optionalWith(
    Schema.String.annotations({ description: "id of the event that was read last" }),
    { exact: true }
  )
})

/** `GET /v1/events/stream` */
export const eventStream = HttpApiEndpoint.get("eventStream", "/v1/events/stream")
  .setUrlParams(EventStreamQuery)
  .setHeaders(LastEventId)
  .addSuccess(Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "text/event-stream" })))
  .annotate(OpenApi.Summary, "What happens to the allocations, as server-sent events")
  .annotate(
    OpenApi.Description,
    'From now on or, with `Last-Event-ID`, after that event: each with its id, its kind as `event`, and the event of `GET /v1/events` as data. `reset` says that it is not known what happened since `Last-Event-ID`; `listeners` has `{"listening":[...],"closed":[...]}`: the allocated ports whose sockets changed while the stream is open, as in `GET /v1/listeners`, which is to be read each time that it opens, and those that no socket holds any more.'
  )
