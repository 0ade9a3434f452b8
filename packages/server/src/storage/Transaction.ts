import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { run } from "./Query.ts"
import { isLocked } from "./SqliteError.ts"

/** How long a write waits for another process to release its lock, in ns. Reads are served meanwhile. */
const lockTimeout = 3_000_000_000n

/**
 * Retry while another process holds a lock, for 3 seconds at most. `Schedule.upTo` measures by the time of day, which may
 * be set; this is monotonic.
 */
export const whileLocked = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.catchIf(effect, isLocked, () =>
    Effect.flatMap(Clock.currentTimeNanos, (begun) =>
      Effect.retry(Effect.delay(effect, "15 millis"), {
        while: (error) =>
          isLocked(error)
            ? Effect.map(Clock.currentTimeNanos, (now) => now - begun < lockTimeout)
            : Effect.succeed(false)
      })
    )
  )

/**
 * Run `body` in a transaction that takes the write lock at its start (`BEGIN IMMEDIATE`). If `body` or the commit fails,
 * nothing is written. `withTransaction` of @effect/sql begins without the lock and turns a failed commit into a defect.
 */
export const transaction = <A, E>(
  connection: Connection,
  body: Effect.Effect<A, E>
): Effect.Effect<A, E | SqlError> => {
  // After some errors SQLite has rolled back already.
  const rollback = Effect.ignore(run(connection, "ROLLBACK"))
  return Effect.uninterruptible(
    Effect.zipRight(
      Effect.interruptible(whileLocked(run(connection, "BEGIN IMMEDIATE"))),
      Effect.onError(Effect.zipLeft(body, run(connection, "COMMIT")), () => rollback)
    )
  )
}
