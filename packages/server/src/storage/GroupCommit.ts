import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import type { StorageError } from "@port-server/domain/Errors"
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as EventLoop from "../runtime/EventLoop.ts"
import * as Monotonic from "../runtime/Monotonic.ts"
import { storageError } from "./SqliteError.ts"
import { transaction } from "./Transaction.ts"

/** What the writer needs. */
export interface WriterOptions {
  /** The connection for the next transaction. */
  readonly connection: Effect.Effect<Connection, StorageError>
  /** Fails if the database file was replaced during the commit. */
  readonly verifyFile: Effect.Effect<unknown, StorageError>
  /** A transaction begins: other programs may have changed the database since the last one. */
  readonly onBegin: (connection: Connection) => Effect.Effect<void, SqlError | StorageError>
  /** The writes of a transaction are done: what is to be written with them. */
  readonly onEnd: (connection: Connection) => Effect.Effect<void, SqlError>
  /** A transaction is durable. */
  readonly onCommit: Effect.Effect<void>
  /** A transaction failed and its writes are undone; no later one has begun. */
  readonly onRollback: () => void
}

/** Most writes in one transaction: bounds how long the last of them waits. */
const batchSize = 128

/** How long the writes of a transaction may keep the event loop from other requests, in ms. */
const longestSlice = 10

/** Like `Effect.forEach`, with turns of the event loop in between. */
const inSlices = <A, B, E>(items: ReadonlyArray<A>, each: (item: A) => Effect.Effect<B, E>) =>
  Effect.suspend(() => {
    let begun = Monotonic.now()
    return Effect.forEach(items, (item) =>
      Effect.suspend(() => {
        if (Monotonic.now() - begun < longestSlice) return each(item)
        return Effect.zipRight(
          EventLoop.yieldToIO,
          Effect.suspend(() => {
            begun = Monotonic.now()
            return each(item)
          })
        )
      })
    )
  })

interface Pending {
  /** Whether it takes so long that others do not share its transaction. */
  readonly isLarge: boolean
  /** Does the work inside the transaction; the result resumes the caller, to be run once the work is durable. */
  readonly run: (connection: Connection) => Effect.Effect<Effect.Effect<unknown>, SqlError>
  /** Fails the caller. */
  readonly fail: (cause: Cause.Cause<SqlError | StorageError>) => Effect.Effect<unknown>
}

/** Captures a body's typed failure. Storage errors and defects are not captured: they roll back the whole batch. */
const toExit = <A, E>(body: Effect.Effect<A, E | SqlError>): Effect.Effect<Exit.Exit<A, E>, SqlError> =>
  body.pipe(
    Effect.map((value): Exit.Exit<A, E> => Exit.succeed(value)),
    Effect.catchAll((error) => (error instanceof SqlError ? Effect.fail(error) : Effect.succeed(Exit.fail(error))))
  )

/**
 * The one writer of a database. Writes that arrive during a commit share the next transaction and its wait for the disk;
 * a large one has a transaction of its own, so that small ones wait for one of them at most.
 *
 * The result runs `body` in a transaction and returns once that is durable. A body that is going to fail must do so
 * before it writes: what it wrote is committed with the others' writes. A storage error fails every write of the batch
 * with a `StorageError`; a defect fails them all with it.
 */
export const make = Effect.fnUntraced(function* (options: WriterOptions) {
  const { connection, onBegin, onCommit, onEnd, onRollback, verifyFile } = options
  const queue = yield* Queue.unbounded<Pending>()
  /** Taken from the queue, and not begun. */
  const waiting: Array<Pending> = []

  const commit = (batch: ReadonlyArray<Pending>) =>
    connection.pipe(
      Effect.flatMap((open) =>
        transaction(
          open,
          Effect.zipRight(
            onBegin(open),
            Effect.zipLeft(
              inSlices(batch, ({ run }) => run(open)),
              onEnd(open)
            )
          )
        )
      ),
      Effect.zipLeft(verifyFile),
      // Defects too: the writer must survive any transaction.
      Effect.matchCauseEffect({
        onSuccess: (resumptions) =>
          Effect.zipRight(
            Effect.forEach(resumptions, (resume) => resume, { discard: true }),
            onCommit
          ),
        onFailure: (cause) => {
          onRollback()
          return Effect.forEach(batch, ({ fail }) => fail(cause), { discard: true })
        }
      }),
      Effect.uninterruptible
    )

  yield* Effect.gen(function* () {
    if (waiting.length === 0) waiting.push(yield* Queue.take(queue))
    // Lets the requests that have arrived submit their writes.
    yield* EventLoop.yieldToIO
    waiting.push(...(yield* Queue.takeUpTo(queue, batchSize - waiting.length)))
    const large = waiting.findIndex(({ isLarge }) => isLarge)
    yield* commit(waiting.splice(0, large === -1 ? waiting.length : Math.max(large, 1)))
  }).pipe(Effect.forever, Effect.forkScoped)

  return <A, E>(
    body: (connection: Connection) => Effect.Effect<A, E | SqlError>,
    isLarge = false
  ): Effect.Effect<A, E | StorageError> =>
    Effect.flatMap(Deferred.make<A, E | StorageError>(), (result) =>
      Effect.zipRight(
        Queue.offer(queue, {
          isLarge,
          run: (open) => Effect.map(toExit(body(open)), (exit) => Deferred.done(result, exit)),
          fail: (cause) => Deferred.complete(result, Effect.catchTag(Effect.failCause(cause), "SqlError", storageError))
        }),
        Deferred.await(result)
      )
    )
})
