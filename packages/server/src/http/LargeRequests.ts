import { StorageUnavailable } from "@port-server/domain/Errors"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as EventLoop from "../runtime/EventLoop.ts"
import * as FreeMemory from "../runtime/FreeMemory.ts"
import { PendingBytes } from "./PendingBytes.ts"

/** How long a large request may wait for its turn: less than a client waits for its response. */
const patience = "8 seconds"

/** The requests of which one is worked on at a time. */
type Kind = "list" | "page" | "ensure" | "prune" | "import"

/** For a request whose turn does not come in time. */
export const tooBusy = new StorageUnavailable({
  message: "port-server is busy with other large requests, try again",
  retryAfter: 1
})

/**
 * Large requests: of each kind one at a time, so that small ones are served in between, and none as long as too many
 * bytes wait for other clients.
 */
export class LargeRequests extends Effect.Service<LargeRequests>()("@port-server/server/http/LargeRequests", {
  effect: Effect.gen(function* () {
    const { unsent } = yield* PendingBytes
    const permits: Record<Kind, Effect.Semaphore> = {
      list: yield* Effect.makeSemaphore(1),
      page: yield* Effect.makeSemaphore(1),
      ensure: yield* Effect.makeSemaphore(1),
      prune: yield* Effect.makeSemaphore(1),
      import: yield* Effect.makeSemaphore(1)
    }

    /** Work on a large request when its turn comes; fails with `StorageUnavailable` when that takes too long. */
    const take = Effect.fnUntraced(function* <A, E, R>(kind: Kind, work: Effect.Effect<A, E, R>) {
      // Whether work has begun or is given up; the first to say so decides.
      const isBegun = yield* Deferred.make<boolean>()
      const worker = yield* Deferred.succeed(isBegun, true).pipe(
        Effect.flatMap((isFirst): Effect.Effect<A, E | StorageUnavailable, R> => (isFirst ? work : tooBusy)),
        (begin) => Effect.zipRight(unsent.room, begin),
        // Many at once have their turns one after the other; whatever has arrived meanwhile is served in between.
        Effect.zipLeft(EventLoop.yieldToIO),
        permits[kind].withPermits(1),
        Effect.ensuring(kind === "page" ? Effect.void : Effect.sync(FreeMemory.soon)),
        Effect.forkDaemon
      )
      yield* Effect.interruptible(Deferred.await(isBegun)).pipe(Effect.timeoutOption(patience))
      const isGivenUp = yield* Deferred.succeed(isBegun, false)
      return yield* isGivenUp ? tooBusy : Fiber.join(worker)
    })

    return {
      take,

      /** Work on a request at once, unless it is a large one or too many bytes wait for other clients. */
      takeIf: <A, E, R>(isLarge: boolean, kind: Kind, work: Effect.Effect<A, E, R>) =>
        isLarge || unsent.isFull ? take(kind, work) : work
    } as const
  })
}) {}
