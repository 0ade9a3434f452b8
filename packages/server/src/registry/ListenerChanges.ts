import type { ListenersChange } from "@port-server/domain/Event"
import { ListeningPort } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as RcRef from "effect/RcRef"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Registry } from "./Registry.ts"

/** How long after a look at the sockets the next one begins. */
const interval = "2 seconds"

/** What listens on an allocated port, and the same as text, to be compared. */
interface Entry {
  readonly listening: ListeningPort
  readonly text: string
}

/** What listened on allocated ports when it was looked at; the same object as long as nothing changes. */
export type Listening = ReadonlyMap<number, Entry>

const textOf = Schema.encode(Schema.parseJson(ListeningPort))

const isSame = (one: Listening | undefined, other: Listening): boolean =>
  one?.size === other.size && [...one].every(([port, { text }]) => other.get(port)?.text === text)

/** What differs in `now` from before; nothing if all is the same. */
export const changeOf = (before: Listening | undefined, now: Listening | undefined): ListenersChange | undefined => {
  if (now === undefined || now === before) return undefined
  const listening = [...now].flatMap(([port, entry]) =>
    before?.get(port)?.text === entry.text ? [] : [entry.listening]
  )
  const closed = [...(before ?? [])].flatMap(([port]) => (now.has(port) ? [] : [port]))
  return listening.length + closed.length === 0 ? undefined : { listening, closed }
}

/** Looks at what listens on allocated ports, for as long as somebody watches. */
export class ListenerChanges extends Effect.Service<ListenerChanges>()("@port-server/server/registry/ListenerChanges", {
  scoped: Effect.gen(function* () {
    const registry = yield* Registry
    const changes = yield* PubSub.sliding<void>(1)

    const look = Effect.gen(function* () {
      const entries = yield* Effect.forEach(yield* registry.heldListeners, (listening) =>
        Effect.map(Effect.orDie(textOf(listening)), (text) => [listening.port, { listening, text }] as const)
      )
      const now: Listening = new Map(entries)
      return now
    })

    const watch = yield* RcRef.make({
      acquire: Effect.gen(function* () {
        let current: Listening | undefined
        // What cannot be read now is read the next time.
        const refresh = Effect.matchEffect(look, {
          onFailure: () => Effect.void,
          onSuccess: (now) => {
            if (isSame(current, now)) return Effect.void
            current = now
            return PubSub.publish(changes, undefined)
          }
        })
        yield* refresh
        yield* Effect.forkScoped(Effect.repeat(Effect.delay(refresh, interval), Schedule.forever))
        return () => current
      })
    })

    return {
      /** What listens now, as far as it is known, for as long as the scope is open: it has been looked at once. */
      watch: RcRef.get(watch),

      /** Something is put in whenever that changes. */
      changes
    } as const
  })
}) {}
