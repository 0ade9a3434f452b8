import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { UploadBudget } from "./UploadBudget.ts"

/** Most bytes of responses that the process keeps for its clients. */
const limit = 64 * 1024 * 1024

/** Counts bytes that are kept in memory. What is counted may exceed the limit once; nothing is begun until it is below again. */
export class ByteBudget {
  readonly #limit: number
  #used = 0
  #waiting: ReadonlyArray<() => void> = []

  constructor(limit: number) {
    this.#limit = limit
  }

  get isFull(): boolean {
    return this.#used >= this.#limit
  }

  add(bytes: number): void {
    this.#used += bytes
  }

  remove(bytes: number): void {
    this.#used -= bytes
    if (this.isFull || this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const resume of waiting) resume()
  }

  /** Succeeds once the count is below the limit. */
  get room(): Effect.Effect<void> {
    return Effect.suspend(() => (this.isFull ? Effect.zipRight(this.#wait, this.room) : Effect.void))
  }

  get #wait(): Effect.Effect<void> {
    return Effect.async((resume) => {
      const done = () => resume(Effect.void)
      this.#waiting = [...this.#waiting, done]
      return Effect.sync(() => {
        this.#waiting = this.#waiting.filter((each) => each !== done)
      })
    })
  }

  /** Whether somebody waits for room. */
  get isAwaited(): boolean {
    return this.#waiting.length > 0
  }
}

/** Request bodies that have been received and are not decoded yet, and responses that are not sent yet. */
export class PendingBytes extends Context.Tag("@port-server/server/http/PendingBytes")<
  PendingBytes,
  { readonly received: UploadBudget; readonly unsent: ByteBudget }
>() {
  static readonly Default = Layer.sync(PendingBytes, () => ({
    received: new UploadBudget(),
    unsent: new ByteBudget(limit)
  }))
}
