import { escapeControls } from "@port-server/domain/Allocation"
import { sentenceOf } from "@port-server/domain/EnvConfig"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { UsageError } from "./command/Command.ts"
import { usageLines } from "./help/HelpText.ts"
import * as Terminal from "./terminal/Terminal.ts"

const usageLabel = "usage: "

/** In one line for scripts, in as many as a terminal needs. */
const usageText = (usage: string, columns: number | undefined): string =>
  usageLabel +
  (columns === undefined
    ? usage
    : usageLines(usage, columns - usageLabel.length).join(`\n${" ".repeat(usageLabel.length)}`))

const hintOf = (error: unknown): string | undefined =>
  Predicate.hasProperty(error, "hint") && typeof error.hint === "string" ? error.hint : undefined

/**
 * Say what is wrong on stderr: in one line `error: <sentence>`, with the usage when the command line is what is wrong.
 * A person at a terminal is told what to do next, too, where the error has a `hint`.
 */
export const complain = (error: unknown): Effect.Effect<void> =>
  Effect.flatMap(Terminal.stderr, ({ columns, paint }) => {
    const hint = columns === undefined ? undefined : hintOf(error)
    return Console.error(
      [
        `${paint("red", "error:")} ${escapeControls(sentenceOf(error))}`,
        ...(error instanceof UsageError && error.usage !== undefined ? [usageText(error.usage, columns)] : []),
        ...(hint === undefined ? [] : [paint("dim", `hint: ${escapeControls(hint)}`)])
      ].join("\n")
    )
  })
