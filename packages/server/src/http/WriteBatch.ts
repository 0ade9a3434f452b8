import * as Effect from "effect/Effect"
import * as EventLoop from "../runtime/EventLoop.ts"

/** Most chunks of long responses that are written in one turn of the event loop: a millisecond or two. */
const chunksPerTurn = 4

/**
 * Writes of one turn of the event loop, done one after the other: each write to a socket may wake its reader, which costs
 * the system more when something else is done in between.
 */
export class WriteBatch {
  #writes: Array<() => void> = []
  readonly #chunks = Effect.unsafeMakeSemaphore(chunksPerTurn)

  /** Write together with the others of this turn. */
  add(write: () => void): Effect.Effect<void> {
    return Effect.async((resume) => {
      const isFirst = this.#writes.length === 0
      this.#writes.push(() => resume(Effect.sync(write)))
      if (isFirst) setImmediate(() => this.#flush())
    })
  }

  /** Write a chunk of a long response when its turn comes: however many there are, short ones are written in between. */
  addChunk(write: () => void): Effect.Effect<void> {
    return Effect.zipRight(Effect.sync(write), EventLoop.yieldToIO).pipe(this.#chunks.withPermits(1))
  }

  #flush(): void {
    const writes = this.#writes
    this.#writes = []
    for (const write of writes) write()
  }
}
