import * as Command from "@port-server/command-line/command/Command"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { Backup } from "@port-server/domain/Backup"
import * as Effect from "effect/Effect"
import * as Output from "../../output/Output.ts"
import * as Options from "../Options.ts"

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
      Output.print(Backup, { json, indent: 2 })(
        Effect.map(client.list(), (allocations) => ({ version: 1, allocations }) as const),
        (backup) => JSON.stringify(backup, undefined, 2)
      )
    )
)
