import * as Terminal from "@port-server/command-line/terminal/Terminal"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"

/** Work that is shorter than this shows no progress. */
const patience = "1 second"

/** How often the line is written again. */
const interval = "100 millis"

/**
 * A line on the terminal of stderr while something takes long, such as `importing 1200 of 60000`; it is removed at the end
 * of the scope, and where stderr is no terminal there is none. The result sets how much is done.
 */
export const show = (
  activity: string,
  total: number
): Effect.Effect<(done: number) => Effect.Effect<void>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { columns } = yield* Terminal.stderr
    let done = 0
    let width = 0
    if (columns !== undefined) {
      const write = (text: string) =>
        Effect.sync(() => {
          process.stderr.write(`\r${text.padEnd(width)}`)
          width = text.length
        })
      yield* Effect.addFinalizer(() =>
        width === 0
          ? Effect.void
          : Effect.zipRight(
              write(""),
              Effect.sync(() => process.stderr.write("\r"))
            )
      )
      yield* Effect.suspend(() => write(`${activity} ${done} of ${total}`.slice(0, columns - 1))).pipe(
        Effect.repeat(Schedule.spaced(interval)),
        Effect.delay(patience),
        Effect.forkScoped
      )
    }
    return (now) =>
      Effect.sync(() => {
        done = now
      })
  })
