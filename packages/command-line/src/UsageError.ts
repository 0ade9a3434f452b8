import * as Data from "effect/Data"

/** A line of usage: the words of the command, then terms that are never broken, such as `[--port PORT]`. */
export interface Usage {
  readonly command: string
  readonly terms: ReadonlyArray<string>
}

/** The command line is not one that the program takes. Reported with the usage of the command. */
export class UsageError extends Data.TaggedError("UsageError")<{
  readonly message: string
  readonly usage?: Usage
  /** What to do next, for a person at a terminal. */
  readonly hint?: string | undefined
}> {}

/** Exit with this status. The result has been printed; no error is reported. */
export class NonZeroExit extends Data.TaggedError("NonZeroExit")<{ readonly status: number }> {}
