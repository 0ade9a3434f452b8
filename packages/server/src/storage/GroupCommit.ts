import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import type { StorageError } from "@port-server/domain/Errors"
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as EventLoop from "../runtime/EventLoop.ts"
import { storageError } from "./SqliteError.ts"
import { transaction } from "./Transaction.ts"

/** Where the transactions happen. */
export interface Place {
  /** The connection for the next transaction. */
  readonly connection: Effect.Effect<Connection, StorageError>
  /** Fails when what was just committed is in a file that nobody will read again. */
  readonly confirm: Effect.Effect<unknown, StorageError>
  /** A transaction begins: others may have changed the database since the last one. */
  readonly onBegin: (connection: Connection) => void
  /** A transaction is lost with all its writes; no later one has begun. */
  readonly onLost: () => void
}

/** Most writes that share one transaction: bounds how long one transaction keeps the event loop from other requests. */
const batchSize = 128

interface Pending {
  /** Does the work inside the transaction; the result answers the caller, to be run once the work is durable. */
  readonly apply: (connection: Connection) => Effect.Effect<Effect.Effect<unknown>, SqlError>
  /** Answers the caller that the transaction was lost, and why. */
  readonly abandon: (cause: Cause.Cause<SqlError | StorageError>) => Effect.Effect<unknown>
}

/**
 * The outcome of a body as a value. What dooms the whole transaction is none: an error of the storage, and a defect,
 * after which nobody knows what the body has written.
 */
const toExit = <A, E>(body: Effect.Effect<A, E | SqlError>): Effect.Effect<Exit.Exit<A, E>, SqlError> =>
  body.pipe(
    Effect.map((value): Exit.Exit<A, E> => Exit.succeed(value)),
    Effect.catchAll((error) => (error instanceof SqlError ? Effect.fail(error) : Effect.succeed(Exit.fail(error))))
  )

/**
 * The one writer of a database. Writes that arrive while another is being committed share the next transaction, and so
 * share one wait for the disk. Nobody is answered before the commit.
 *
 * The result runs `body` in a transaction and answers when that is durable. A body that is going to fail must do so
 * before it writes: what it wrote is committed with the others' writes. A statement that fails for the storage's sake
 * fails every write of its transaction with a `StorageError`; a defect fails them all with it.
 */
export const make = Effect.fnUntraced(function* ({ confirm, connection, onBegin, onLost }: Place) {
  const queue = yield* Queue.unbounded<Pending>()

  const commit = (batch: ReadonlyArray<Pending>) =>
    connection.pipe(
      Effect.flatMap((open) =>
        transaction(
          open,
          Effect.suspend(() => {
            onBegin(open)
            return Effect.forEach(batch, ({ apply }) => apply(open))
          })
        )
      ),
      Effect.zipLeft(confirm),
      // Also a defect: the writer outlives whatever happens to one transaction.
      Effect.matchCauseEffect({
        onSuccess: (answers) => Effect.forEach(answers, (answer) => answer, { discard: true }),
        onFailure: (cause) => {
          onLost()
          return Effect.forEach(batch, ({ abandon }) => abandon(cause), { discard: true })
        }
      }),
      Effect.uninterruptible
    )

  yield* Effect.gen(function* () {
    const first = yield* Queue.take(queue)
    // The requests that have arrived by now get read, and submit their writes.
    yield* EventLoop.turn
    yield* commit([first, ...(yield* Queue.takeUpTo(queue, batchSize - 1))])
  }).pipe(Effect.forever, Effect.forkScoped)

  return <A, E>(body: (connection: Connection) => Effect.Effect<A, E | SqlError>): Effect.Effect<A, E | StorageError> =>
    Effect.flatMap(Deferred.make<A, E | StorageError>(), (answer) =>
      Effect.zipRight(
        Queue.offer(queue, {
          apply: (open) => Effect.map(toExit(body(open)), (outcome) => Deferred.done(answer, outcome)),
          abandon: (cause) =>
            Deferred.complete(answer, Effect.catchTag(Effect.failCause(cause), "SqlError", storageError))
        }),
        Deferred.await(answer)
      )
    )
})
