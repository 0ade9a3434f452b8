import * as Effect from "effect/Effect"

/**
 * Let Node read what has arrived on its sockets, and go on after that. Effect's own `yieldNow` is a microtask, which
 * runs before anything is read.
 */
export const yieldToIO: Effect.Effect<void> = Effect.async((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})
