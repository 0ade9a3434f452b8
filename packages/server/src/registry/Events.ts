import type { StorageError } from "@port-server/domain/Errors"
import type { EventFilter, ListenersChange, RegistryEvent } from "@port-server/domain/Event"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Monotonic from "../runtime/Monotonic.ts"
import type { EventPage } from "../storage/EventQueries.ts"
import { EventRepository } from "../storage/EventRepository.ts"
import { changeOf, ListenerChanges } from "./ListenerChanges.ts"

/** Most events that are read at a time for one who follows them: what waits for a slow reader stays small. */
const pageSize = 16

/** At most so often those who follow are woken, whatever is written: they then share what is read. */
const pause = "50 millis"

/** After this long without news of what is followed, in ms, a follower gets the position. */
const heartbeat = 10_000

/** How long after the database could not be read it is tried again. */
const retry = "1 second"

/** News for one who follows the events. */
export type News =
  | { readonly _tag: "Events"; readonly events: ReadonlyArray<RegistryEvent> }
  /** It is not known what happened before the event `last`. */
  | { readonly _tag: "Reset"; readonly last: number }
  /** Nothing that is followed has happened up to the event `last`. */
  | { readonly _tag: "Position"; readonly last: number }
  | { readonly _tag: "Listeners"; readonly change: ListenersChange }

/** What is followed. */
export interface Following {
  readonly filter: EventFilter
  /** The event after which to begin; without it, now. Not a number: nobody knows. */
  readonly after: number | undefined
  /** Whether changes of what listens are followed, too. */
  readonly withListeners: boolean
}

/** What happened to the registry. All methods can fail with a `StorageError`. */
export class Events extends Effect.Service<Events>()("@port-server/server/registry/Events", {
  scoped: Effect.gen(function* () {
    const store = yield* EventRepository
    const listeners = yield* ListenerChanges
    const ticks = yield* PubSub.sliding<void>(1)
    /** What was read since the last tick, for all who are at the same position. */
    const pages = new Map<string, EventPage>()

    const commits = yield* store.commits
    yield* Queue.take(commits).pipe(
      Effect.zipRight(Effect.sync(() => pages.clear())),
      Effect.zipRight(PubSub.publish(ticks, undefined)),
      Effect.zipRight(Effect.sleep(pause)),
      Effect.forever,
      Effect.forkScoped
    )

    const changes = yield* PubSub.subscribe(listeners.changes)
    yield* Queue.take(changes).pipe(
      Effect.zipRight(PubSub.publish(ticks, undefined)),
      Effect.forever,
      Effect.forkScoped
    )

    const after = (position: number, filter: EventFilter) =>
      Effect.suspend(() => {
        const key = JSON.stringify([position, filter])
        const known = pages.get(key)
        if (known !== undefined) return Effect.succeed(known)
        return Effect.tap(store.after(position, filter, pageSize), (page) => {
          if (page.events.length > 0) pages.set(key, page)
        })
      })

    return {
      /** The events that a query means, the newest last. */
      matching: store.matching,

      /**
       * News from a position on, one after the other and without a gap: what is not asked for waits in the database. What
       * cannot be read is tried again.
       */
      follow: Effect.fnUntraced(function* ({ after: start, filter, withListeners }: Following) {
        const wakeups = yield* PubSub.subscribe(ticks)
        let position = start ?? (yield* store.range).last
        const begin: News = { _tag: "Position", last: position }
        const listening = withListeners ? yield* listeners.watch : () => undefined
        let seen = listening()
        let told = Monotonic.now()

        const next: Effect.Effect<News, StorageError> = Effect.gen(function* () {
          for (;;) {
            const now = listening()
            const change = changeOf(seen, now)
            seen = now
            if (change !== undefined) return { _tag: "Listeners", change }
            const { events, isKnown, last } = yield* after(position, filter)
            if (!isKnown) {
              position = last
              return { _tag: "Reset", last }
            }
            position = events.length < pageSize ? last : (events.at(-1)?.id ?? last)
            if (events.length > 0) return { _tag: "Events", events }
            const left = told + heartbeat - Monotonic.now()
            if (left <= 0) return { _tag: "Position", last }
            // What others do wakes up, too.
            yield* Effect.timeoutOption(Queue.take(wakeups), left)
          }
        })
        const news = Stream.repeatEffect(
          Effect.tap(Effect.retry(next, Schedule.spaced(retry)), () =>
            Effect.sync(() => {
              told = Monotonic.now()
            })
          )
        )
        return start === undefined ? Stream.concat(Stream.succeed(begin), news) : news
      })
    } as const
  })
}) {}
