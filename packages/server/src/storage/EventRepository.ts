import type { EventFilter, EventQuery } from "@port-server/domain/Event"
import * as Effect from "effect/Effect"
import { AllocationRepository } from "./AllocationRepository.ts"
import * as Queries from "./EventQueries.ts"

/** The events in SQLite: what was committed with the changes that they tell of. */
export class EventRepository extends Effect.Service<EventRepository>()("@port-server/server/storage/EventRepository", {
  effect: Effect.map(
    AllocationRepository,
    ({ commits, read }) =>
      ({
        /** The events that a query means, the newest last. */
        matching: (query: EventQuery) => read((reader) => Queries.matching(reader, query)),

        /** Where the events that are kept begin and end. */
        range: read(Queries.range),

        /** The first `limit` events after a position that match the filter. */
        after: (position: number, filter: EventFilter, limit: number) =>
          read((reader) => Queries.after(reader, position, filter, limit)),

        commits
      }) as const
  )
}) {}
