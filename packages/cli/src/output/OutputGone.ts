import * as Effect from "effect/Effect"

/** Succeeds once nobody reads the output any more, which shows when something is written to it. */
export const outputGone: Effect.Effect<void> = Effect.async((resume) => {
  const done = () => resume(Effect.void)
  process.stdout.once("error", done)
  return Effect.sync(() => process.stdout.off("error", done))
})
