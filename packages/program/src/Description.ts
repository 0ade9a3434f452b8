import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"

/** What a command does: in one line, in more lines where one does not tell all, and by an example. */
export const describe = (summary: string, example: string, details: ReadonlyArray<string> = []) =>
  Command.withDescription(
    HelpDoc.blocks([
      HelpDoc.p(summary),
      ...details.map((line, index) => HelpDoc.p(index === 0 ? `\n${line}` : line)),
      HelpDoc.p(`\nExample:\n  ${example}`)
    ])
  )
