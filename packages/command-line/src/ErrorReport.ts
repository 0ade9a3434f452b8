import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { usageLines } from "./help/HelpText.ts"
import * as Terminal from "./terminal/Terminal.ts"
import { type Usage, UsageError } from "./UsageError.ts"

const usageLabel = "usage: "

/** In one line for scripts, in as many as a terminal needs. */
const usageText = (usage: Usage, columns: number | undefined): string =>
  usageLabel +
  usageLines(usage, columns === undefined ? Number.POSITIVE_INFINITY : columns - usageLabel.length).join(
    `\n${" ".repeat(usageLabel.length)}`
  )

const hintOf = (error: unknown): string | undefined =>
  Predicate.hasProperty(error, "hint") && typeof error.hint === "string" ? error.hint : undefined

/**
 * Report an error on stderr: `error: <message>` in one line, with the usage where the command line is wrong, and on a
 * terminal with the error's `hint`.
 *
 * @param printable makes text fit for a terminal
 */
export const reportError = (
  error: unknown,
  message: string,
  printable: (text: string) => string
): Effect.Effect<void> =>
  Effect.flatMap(Terminal.stderr, ({ columns, paint }) => {
    const hint = columns === undefined ? undefined : hintOf(error)
    return Console.error(
      [
        `${paint("red", "error:")} ${printable(message)}`,
        ...(error instanceof UsageError && error.usage !== undefined ? [usageText(error.usage, columns)] : []),
        ...(hint === undefined ? [] : [paint("dim", `hint: ${printable(hint)}`)])
      ].join("\n")
    )
  })
