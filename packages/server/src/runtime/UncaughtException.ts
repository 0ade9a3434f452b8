import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** An exception that nothing has caught: what state it left behind is not known. */
export class UncaughtException extends Data.TaggedError("UncaughtException")<{ readonly message: string }> {}

/**
 * Fails at the first uncaught exception of the process, so that it stops in order, with an exit status that makes a
 * service manager start it again. A second one ends it at once, as Node does.
 */
export const uncaughtException: Effect.Effect<never, UncaughtException> = Effect.async<never, Error>((resume) => {
  const fail = (error: Error) => resume(Effect.fail(error))
  process.once("uncaughtException", fail)
  return Effect.sync(() => process.off("uncaughtException", fail))
}).pipe(
  Effect.tapError((error) => Console.error(error.stack ?? error.message)),
  Effect.mapError(({ message }) => new UncaughtException({ message: `port-server stopped after a bug: ${message}` }))
)
