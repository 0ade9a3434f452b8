import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { format } from "../../agents/ContextFormat.ts"
import { contextOf, WorkingCopyContext } from "../../agents/WorkingCopyContext.ts"
import * as Notes from "../../output/Notes.ts"
import * as Output from "../../output/Output.ts"
import { nothingGiven } from "../../project/Given.ts"
import { here } from "../../project/ProjectContext.ts"

const Noted = Schema.Struct({ ...WorkingCopyContext.fields, notes: Schema.Array(Schema.String) })

/** `portctl context` */
export const context = Command.make(
  "context",
  {
    summary: "Show this working copy's ports and variables, for a prompt",
    details: [
      "It shows the services with their ports and states (see portctl verify), the variables of portctl env, and the other working copies of the app, in less than 2,000 characters. Nothing is allocated."
    ],
    examples: ["portctl context"],
    parameters: { json: Flag.boolean("json", "Print everything as JSON") }
  },
  ({ json }) =>
    Output.print(Noted, { json, indent: 2 })(
      Effect.flatMap(here(nothingGiven), contextOf).pipe(
        Notes.collect,
        // The states show what is foreign.
        Effect.map(([found, lines]) => ({ ...found, notes: lines.filter((line) => !line.startsWith("warning: ")) }))
      ),
      ({ notes, ...context }) => format(context, notes)
    )
)
