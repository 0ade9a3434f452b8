import * as Schema from "effect/Schema"
import { Allocation, exact } from "./Allocation.ts"
import { SelectorFromQuery } from "./AllocationFilter.ts"
import { ListeningPort } from "./Listener.ts"
import { NumberFromDigits } from "./Port.ts"
import { isTimestamp } from "./Timestamp.ts"

/** What happened to an allocation; `moved`: it has another project folder. */
export const EventKind = Schema.Literal("allocated", "released", "moved", "pruned", "imported")
/** What happened to an allocation. */
export type EventKind = typeof EventKind.Type

/**
 * What a client says about itself; nobody verifies it. portctl sends `command`, `folder`, `user`, and `agent` or `terminal`
 * where it knows them.
 */
export const Client = Schema.Record({ key: Schema.String, value: Schema.Unknown }).annotations({
  identifier: "Client",
  description: "what the client said about itself, which is not verified: a JSON object, by portctl of texts"
})
/** What a client says about itself. */
export type Client = typeof Client.Type

/** Number of an event: larger than those before it, also where a database was replaced by one that has events. */
const EventId = Schema.Int.annotations({
  description: "number of the event, larger than those of earlier ones",
  // They begin at a time in microseconds, which generated clients would cut to 32 bits.
  jsonSchema: { type: "integer", format: "int64" }
})

/** A change of the registry, written together with it. */
export const RegistryEvent = Schema.Struct({
  id: EventId,
  at: Schema.String.annotations({ description: "UTC, whole seconds", examples: ["2025-02-08T15:04:05Z"] }),
  kind: EventKind,
  allocation: Allocation.annotations({ description: "as it is after the change; where it was released, as it was" }),
  from: Schema.optionalWith(
    Schema.String.annotations({ description: "the project folder before it moved, where it had one" }),
    { exact: true }
  ),
  by: Schema.optionalWith(Client, { exact: true })
}).annotations({ identifier: "Event" })
/** A change of the registry, written together with it. */
export type RegistryEvent = typeof RegistryEvent.Type

/** How many of the newest events are kept. */
export const keptEvents = 10_000

/** Most events in one response. */
export const largestEventPage = 500

/** Events in one response when no limit is given. */
export const usualEventPage = 100

const eventIdFromDigits = (name: string) =>
  NumberFromDigits.pipe(
    Schema.filter(Number.isSafeInteger),
    Schema.annotations({
      jsonSchema: { type: "integer", format: "int64", minimum: 0 },
      message: () => ({ message: `${name} must be the id of an event`, override: true })
    })
  )

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const { path: _path, ...ownerFields } = SelectorFromQuery.fields

/** Which events are meant: those that equal every field given. An empty one is not given. */
const filterFields = {
  ...ownerFields,
  kind: optional(
    Schema.Literal(...EventKind.literals, "").annotations({
      message: () => ({ message: `kind must be one of ${EventKind.literals.join(", ")}`, override: true })
    })
  )
}

/**
 * The query of the events: the newest ones that match, before the event `before`; with `after` or `since`, the first
 * ones after that event, at or after that time. Always the newest last.
 */
export const EventQuery = Schema.Struct({
  ...filterFields,
  after: optional(eventIdFromDigits("after")),
  before: optional(eventIdFromDigits("before")),
  since: optional(
    Schema.String.pipe(
      Schema.filter(isTimestamp),
      Schema.annotations({
        jsonSchema: { type: "string", format: "date-time" },
        message: () => ({ message: "since must be a time like 2025-02-08T15:04:05Z", override: true })
      })
    )
  ),
  limit: optional(
    NumberFromDigits.pipe(
      Schema.filter((limit) => limit >= 1 && limit <= largestEventPage),
      Schema.annotations({
        jsonSchema: { type: "integer", minimum: 1, maximum: largestEventPage },
        message: () => ({ message: `limit must be an integer from 1 to ${largestEventPage}`, override: true })
      })
    )
  )
}).annotations(exact)
/** The query of the events. */
export type EventQuery = typeof EventQuery.Type

/** The query of the event stream; `listeners=false` leaves out what listens. */
export const EventStreamQuery = Schema.Struct({
  ...filterFields,
  listeners: optional(
    Schema.Literal("true", "false", "").annotations({
      message: () => ({ message: "listeners must be true or false", override: true })
    })
  )
}).annotations(exact)
/** The query of the event stream. */
export type EventStreamQuery = typeof EventStreamQuery.Type

/** Which events are meant. */
export type EventFilter = Omit<EventStreamQuery, "listeners">

/** Data of the stream's event `listeners`: what listens on allocated ports, where that has changed. */
export const ListenersChange = Schema.Struct({
  listening: Schema.Array(ListeningPort).annotations({ description: "the ports whose sockets are others now" }),
  closed: Schema.Array(Schema.Int).annotations({ description: "the ports that no socket holds any more" })
}).annotations({ identifier: "ListenersChange" })
/** Data of the stream's event `listeners`. */
export type ListenersChange = typeof ListenersChange.Type

/**
 * Data of the stream's event `reset`: what happened since `Last-Event-ID` is not known, so everything has to be
 * read again. The stream continues after the event `last`.
 */
export const StreamReset = Schema.Struct({ last: EventId }).annotations({ identifier: "StreamReset" })
/** Data of the stream's event `reset`. */
export type StreamReset = typeof StreamReset.Type
