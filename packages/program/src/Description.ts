import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"

/** What a command does, in one line, and an example of it. */
export const describe = (summary: string, example: string) =>
  Command.withDescription(HelpDoc.sequence(HelpDoc.p(summary), HelpDoc.p(`\nExample:\n  ${example}`)))
