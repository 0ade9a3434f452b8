import * as Command from "@effect/cli/Command"
import { Allocation } from "@port-server/domain/Allocation"
import { PortServerClient } from "@port-server/domain/PortServerClient"
import { describe } from "@port-server/program/Description"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Flags from "../Flags.ts"
import * as Output from "../Output.ts"

/** `portctl list` */
export const list = Command.make(
  "list",
  { app: Flags.appFilter, instance: Flags.instanceFilter, service: Flags.serviceFilter, json: Flags.json },
  ({ json, ...selector }) =>
    Effect.flatMap(PortServerClient, (client) =>
      Output.answer(Schema.Array(Allocation), { json, indent: 2 })(client.list(selector), (allocations, terminal) =>
        Output.table(allocations, terminal)
      )
    )
).pipe(
  describe("List the allocations, all or those that match every filter given", [
    "portctl list --app myapp",
    "portctl list --json"
  ])
)
