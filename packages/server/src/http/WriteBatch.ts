import * as Effect from "effect/Effect"

/**
 * Writes of one turn of the event loop, done one after the other: each write to a socket may wake its reader, which costs
 * the system more when something else is done in between.
 */
export class WriteBatch {
  #writes: Array<() => void> = []

  /** Write together with the others of this turn. */
  add(write: () => void): Effect.Effect<void> {
    return Effect.async((resume) => {
      const isFirst = this.#writes.length === 0
      this.#writes.push(() => resume(Effect.sync(write)))
      if (isFirst) setImmediate(() => this.#flush())
    })
  }

  #flush(): void {
    const writes = this.#writes
    this.#writes = []
    for (const write of writes) write()
  }
}
