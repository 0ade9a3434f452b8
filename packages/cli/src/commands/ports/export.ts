import * as Command from "@port-server/command-line/command/Command"
import { Allocation } from "@port-server/domain/Allocation"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Output from "../../output/Output.ts"
import * as Options from "../Options.ts"

// As wide as what a registry can hold: names that an import would refuse are exported too.
const Export = Schema.Struct({
  version: Schema.Literal(1),
  allocations: Schema.Array(
    Schema.Struct({ ...Allocation.fields, named: Schema.optionalWith(Schema.Literal(true), { exact: true }) })
  )
})

/** The ids of the allocations whose service a project file has named. */
const namedIds = (client: PortServerClient) =>
  client.list({ named: "true" }).pipe(
    Effect.map((allocations) => new Set(allocations.map(({ id }) => id))),
    // An older server does not remember it.
    Effect.catchIf(
      (error) => error._tag === "UnexpectedResponse" && error.status === 400,
      () => Effect.succeed(new Set<number>())
    )
  )

/** `portctl export` */
export const exportAll = Command.make(
  "export",
  {
    summary: "Print all allocations as a backup, for portctl import",
    examples: ["portctl export > ports.json"],
    parameters: { json: Options.json }
  },
  ({ json }) =>
    Effect.flatMap(PortServerClient, (client) =>
      Output.print(Export, { json, indent: 2 })(
        client.list().pipe(
          // Other programs answer anything with an empty list, too, and nobody looks at a backup.
          Effect.tap((allocations) => (allocations.length === 0 ? client.health() : Effect.void)),
          Effect.zipWith(namedIds(client), (allocations, named): typeof Export.Type => ({
            version: 1,
            allocations: allocations.map((each) => (named.has(each.id) ? { ...each, named: true } : each))
          }))
        ),
        (backup) => Output.jsonText(backup, 2)
      )
    )
)
