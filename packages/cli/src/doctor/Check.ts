import { type ExecFileException, execFile } from "node:child_process"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** One line of `portctl doctor`. */
export const Check = Schema.Struct({
  name: Schema.String,
  status: Schema.Literal("ok", "warning", "error"),
  message: Schema.String,
  /** What to do about it. */
  remedy: Schema.optionalWith(Schema.String, { exact: true })
})
/** One line of `portctl doctor`. */
export type Check = typeof Check.Type

export const ok = (name: string, message: string): Check => ({ name, status: "ok", message })
export const warning = (name: string, message: string, remedy: string): Check => ({
  name,
  status: "warning",
  message,
  remedy
})
export const error = (name: string, message: string, remedy: string): Check => ({
  name,
  status: "error",
  message,
  remedy
})

/** What a program of ours prints, or the error that it ends with, in one line. */
export const outputOf = (
  program: string,
  args: ReadonlyArray<string>
): Effect.Effect<{ readonly failed: boolean; readonly text: string }> =>
  Effect.async((resume) => {
    const done = (failure: ExecFileException | null, stdout: string, stderr: string) => {
      const [line = ""] = (failure === null ? stdout : stderr || failure.message).trim().split("\n")
      resume(Effect.succeed({ failed: failure !== null, text: line.replace(/^error: /, "") }))
    }
    const child = execFile(program, args, { timeout: 30_000 }, done)
    return Effect.sync(() => child.kill())
  })
