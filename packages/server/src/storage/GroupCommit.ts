import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import type { StorageError } from "@port-server/domain/Errors"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
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

interface Pending {
  /** Whether it takes so long that others do not share its transaction. */
  readonly isLarge: boolean
  /** Does the work inside the transaction; the result resumes the caller, to be called once the work is durable. */
  readonly run: (connection: Connection) => Effect.Effect<() => void, SqlError>
  /** Fails the caller. */
  readonly fail: (cause: Cause.Cause<SqlError | StorageError>) => void
}

/** The writes of a batch one after the other, with turns of the event loop in between. */
const runAll = Effect.fnUntraced(function* (connection: Connection, batch: ReadonlyArray<Pending>) {
  const resumptions: Array<() => void> = []
  let begun = Monotonic.now()
  for (const { run } of batch) {
    if (Monotonic.now() - begun >= longestSlice) {
      yield* EventLoop.yieldToIO
      begun = Monotonic.now()
    }
    resumptions.push(yield* run(connection))
  }
  return resumptions
})

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
  /** Submitted, and not begun. */
  const waiting: Array<Pending> = []
  /** Tells the writer, which waits for it, of the first one. */
  let wake: (() => void) | undefined

  /**
   * Waits until there is a write, and lets the requests that have arrived submit theirs. With `EventLoop.yieldToIO` behind a
   * wait of its own: 0.96 of the allocations per second.
   */
  const arrival = Effect.async<void>((resume) => {
    const wakeSoon = () => {
      wake = undefined
      setImmediate(() => resume(Effect.void))
    }
    if (waiting.length > 0) wakeSoon()
    else wake = wakeSoon
  })

  const commit = (batch: ReadonlyArray<Pending>) =>
    Effect.gen(function* () {
      const open = yield* connection
      const body = Effect.zipRight(onBegin(open), Effect.zipLeft(runAll(open, batch), onEnd(open)))
      const resumptions = yield* transaction(open, body)
      yield* verifyFile
      return resumptions
    }).pipe(
      // Defects too: the writer must survive any transaction.
      Effect.matchCauseEffect({
        onSuccess: (resumptions) => {
          for (const resume of resumptions) resume()
          return onCommit
        },
        onFailure: (cause) =>
          Effect.sync(() => {
            onRollback()
            for (const { fail } of batch) fail(cause)
          })
      }),
      Effect.uninterruptible
    )

  yield* Effect.gen(function* () {
    for (;;) {
      yield* arrival
      const batch = waiting.slice(0, batchSize)
      const large = batch.findIndex(({ isLarge }) => isLarge)
      yield* commit(waiting.splice(0, large === -1 ? batch.length : Math.max(large, 1)))
    }
  }).pipe(Effect.forkScoped)

  return <A, E>(
    body: (connection: Connection) => Effect.Effect<A, E | SqlError>,
    isLarge = false
  ): Effect.Effect<A, E | StorageError> =>
    // With a queue of Effect, and a deferred for each result: 0.88 of the allocations per second.
    Effect.async((resume) => {
      waiting.push({
        isLarge,
        run: (open) =>
          Effect.matchEffect(body(open), {
            onSuccess: (value) => Effect.succeed(() => resume(Effect.succeed(value))),
            // A storage error or a defect rolls back the whole batch.
            onFailure: (error) =>
              error instanceof SqlError ? Effect.fail(error) : Effect.succeed(() => resume(Effect.fail(error)))
          }),
        fail: (cause) => resume(Effect.catchTag(Effect.failCause(cause), "SqlError", storageError))
      })
      wake?.()
    })
})
