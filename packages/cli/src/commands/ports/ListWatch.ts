import * as Terminal from "@port-server/command-line/terminal/Terminal"
import { UsageError } from "@port-server/command-line/UsageError"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { follow } from "../../client/EventFollower.ts"
import type { ClientError } from "../../errors/CliError.ts"
import * as Output from "../../output/Output.ts"
import { outputGone } from "../../output/OutputGone.ts"
import * as Screen from "../../output/Screen.ts"

/**
 * Draw a table on the terminal's own screen, again on each change, until it is interrupted.
 *
 * @param query the events that change the table
 */
export const watch = <A, R>(
  query: Readonly<Record<string, string>>,
  read: Effect.Effect<A, ClientError, R>,
  format: (found: A, terminal: Terminal.Terminal) => string
) =>
  Effect.gen(function* () {
    const screen = yield* Screen.open
    if (screen === undefined) {
      const message = "--watch needs a terminal; portctl log --follow prints what changes, line by line"
      return yield* new UsageError({ message })
    }
    const draw = Effect.flatMap(read, (found) =>
      Effect.flatMap(Terminal.stdout, (terminal) => screen.draw(format(found, terminal)))
    )
    yield* Stream.merge(follow(query), screen.resized).pipe(
      Stream.buffer({ capacity: 1, strategy: "sliding" }),
      // While the server is away the table stays; the stream comes back with it.
      Stream.runForEach(() => Effect.catchTag(draw, "ServerUnreachable", () => Effect.void)),
      Effect.raceFirst(outputGone),
      Output.toCliError
    )
  }).pipe(Effect.scoped)
