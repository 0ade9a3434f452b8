import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { PortStatus } from "@port-server/domain/api/Results"
import { RegistryEvent } from "@port-server/domain/Event"
import type { Port } from "@port-server/domain/Port"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** How many events of the port are shown. */
const shownEvents = 3

/** The state of a port, and what happened to it last. */
export const PortStory = Schema.Struct({
  ...PortStatus.fields,
  events: Schema.optionalWith(Schema.Array(RegistryEvent), { exact: true })
})
/** The state of a port, and what happened to it last. */
export type PortStory = typeof PortStory.Type

/** The state of a port, and what happened to it last. */
export const storyOf = Effect.fnUntraced(function* (port: Port) {
  const client = yield* PortServerClient
  const status = yield* client.check(port)
  const events = yield* client.events({ port, limit: shownEvents }).pipe(
    // An older server has none.
    Effect.catchTag("UnexpectedResponse", () => Effect.succeed<ReadonlyArray<RegistryEvent>>([]))
  )
  const story: PortStory = events.length === 0 ? status : { ...status, events }
  return story
})
