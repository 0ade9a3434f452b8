import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

/** Keep what an effect would print on stderr: its result, and the lines, each once. */
export const collect = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Console.consoleWith((console) => {
    const lines = new Set<string>()
    return Effect.map(
      Console.withConsole(effect, {
        ...console,
        error: (...parts) => Effect.sync(() => void lines.add(parts.join(" ")))
      }),
      (result) => [result, [...lines]] as const
    )
  })
