import * as Command from "@effect/cli/Command"
import type { Allocation } from "@port-server/domain/Allocation"
import { Ensured } from "@port-server/domain/Ensure"
import { describe } from "@port-server/program/Description"
import * as Flag from "@port-server/program/Flag"
import { UsageError } from "@port-server/program/Verb"
import * as Effect from "effect/Effect"
import { askedIn, ensureServices, placeOf } from "../Ensured.ts"
import * as Flags from "../Flags.ts"
import { here } from "../Here.ts"
import * as Output from "../Output.ts"
import { type Column, table } from "../Table.ts"

const columns: ReadonlyArray<Column<Allocation>> = [
  { heading: "", cell: ({ service }) => service, shorten: "end" },
  { heading: "", cell: ({ port }) => String(port), style: "cyan" }
]

/** `portctl ensure` */
export const ensure = Command.make(
  "ensure",
  {
    service: Flags.services,
    ...Flags.place,
    json: Flags.json,
    quiet: Flag.boolean("quiet", "Print the ports alone, one a line")
  },
  Effect.fnUntraced(function* ({ json, quiet, service, ...given }) {
    if (json && quiet) return yield* new UsageError({ message: "--json and --quiet exclude each other" })
    yield* Output.answer(Ensured, { json })(
      Effect.flatMap(here(given), (place) => ensureServices(place, askedIn(place, service))),
      (ensured, terminal) =>
        quiet
          ? ensured.allocations.map(({ port }) => port).join("\n")
          : `${placeOf(ensured)}\n${table(columns, ensured.allocations, terminal)}`
    )
  })
).pipe(
  describe(
    "Give this project's services their ports, the same ones every time",
    "portctl ensure --service web,db",
    [
      "The app is the repository's name, and the instance the worktree's folder, or main in the main worktree. Without --service, the services of portctl.json."
    ],
    { environment: Flags.placeVariables }
  )
)
