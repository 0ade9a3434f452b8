import { escapeControls } from "@port-server/domain/Allocation"
import * as Effect from "effect/Effect"
import * as BashLine from "./BashLine.ts"
import type { Completion } from "./Completion.ts"

/**
 * What a completion script asks for, and what it is told: in the first line the kind, then a candidate a line, and for
 * the shells that show it a tab and its description.
 *
 * @param args for bash the line up to the cursor and its word breaks, for the others the words after the program's name
 */
export const answer = (
  shell: string,
  args: ReadonlyArray<string>,
  complete: (line: ReadonlyArray<string>) => Effect.Effect<Completion>
): Effect.Effect<string> => {
  const [text = "", breaks = ""] = args
  const line = shell === "bash" ? BashLine.parse(text, breaks) : undefined
  return Effect.map(complete(line === undefined ? args : line.words.slice(1)), (completion) => {
    if (completion._tag !== "Words") return completion._tag.toLowerCase()
    // No shell can be given a name with control characters, which only an older program stored.
    const candidates = completion.candidates.filter(({ value }) => escapeControls(value) === value)
    const current = line?.words.at(-1) ?? ""
    return [
      "words",
      ...candidates.flatMap(({ text, value }) => {
        if (line === undefined) return [`${value}\t${escapeControls(text)}`]
        return value.startsWith(current) ? (line.written(value) ?? []) : []
      })
    ].join("\n")
  })
}
