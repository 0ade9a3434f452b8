import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { UsageError } from "@port-server/command-line/UsageError"
import type { Allocation } from "@port-server/domain/Allocation"
import { EnsureResult } from "@port-server/domain/Ensure"
import * as Effect from "effect/Effect"
import * as Output from "../../output/Output.ts"
import { type Column, table } from "../../output/Table.ts"
import { instanceLabel } from "../../project/PlaceNotes.ts"
import { here } from "../../project/ProjectContext.ts"
import { ensureServices, requestedServices } from "../../project/ProjectPorts.ts"
import * as Options from "../Options.ts"
import * as SchemaOptions from "../SchemaOptions.ts"

const columns: ReadonlyArray<Column<Allocation>> = [
  { heading: "", cell: ({ service }) => service, shorten: "end" },
  { heading: "", cell: ({ port }) => String(port), style: "cyan" }
]

/** `portctl ensure` */
export const ensure = Command.make(
  "ensure",
  {
    summary: "Give this project's services their ports, the same ones every time",
    details: [
      "The app is the repository's name, and the instance the worktree's folder, or main in the main worktree. Without --service, these are the services of portctl.json; without that file, those that already have ports, or else web."
    ],
    examples: ["portctl ensure --service web,db"],
    parameters: {
      service: SchemaOptions.services,
      ...SchemaOptions.contextFlags,
      json: Options.json,
      quiet: Flag.boolean("quiet", "Print the ports alone, one on each line")
    }
  },
  Effect.fnUntraced(function* ({ json, quiet, service, ...given }) {
    if (json && quiet) return yield* new UsageError({ message: "--json and --quiet exclude each other" })
    yield* Output.print(EnsureResult, { json })(
      Effect.gen(function* () {
        const place = yield* here(given)
        return yield* ensureServices(place, yield* requestedServices(place, service))
      }),
      (ensured, terminal) =>
        quiet
          ? ensured.allocations.map(({ port }) => port).join("\n")
          : `${instanceLabel(ensured)}\n${table(columns, ensured.allocations, terminal)}`
    )
  })
)
