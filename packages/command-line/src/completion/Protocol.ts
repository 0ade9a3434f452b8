import * as Effect from "effect/Effect"
import * as BashLine from "./BashLine.ts"
import type { Completion } from "./Completion.ts"

/**
 * The response to a completion script: in the first line the kind, then a candidate a line, and for the shells that show
 * it a tab and its description.
 *
 * @param args for bash the line up to the cursor and its word breaks, for the others the words after the program's name
 */
export const respond = (
  shell: string,
  args: ReadonlyArray<string>,
  complete: (line: ReadonlyArray<string>) => Effect.Effect<Completion>
): Effect.Effect<string> => {
  const [text = "", breaks = ""] = args
  const line = shell === "bash" ? BashLine.parse(text, breaks) : undefined
  return Effect.map(complete(line === undefined ? args : line.words.slice(1)), (completion) => {
    if (completion._tag !== "Words") return completion._tag.toLowerCase()
    const current = line?.words.at(-1) ?? ""
    return [
      "words",
      ...completion.candidates.flatMap(({ text, value }) => {
        if (line === undefined) return [`${value}\t${text}`]
        return value.startsWith(current) ? (line.written(value) ?? []) : []
      })
    ].join("\n")
  })
}
