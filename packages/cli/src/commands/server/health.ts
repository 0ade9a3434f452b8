import * as Command from "@port-server/command-line/command/Command"
import { Health } from "@port-server/domain/api/Health"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import * as Effect from "effect/Effect"
import * as Output from "../../output/Output.ts"
import * as Options from "../Options.ts"

/** `portctl health` */
export const health = Command.make(
  "health",
  {
    summary: "Check that the server is reachable",
    examples: ["portctl health"],
    exitCodes: { 0: "It responds", 1: "It does not" },
    parameters: { json: Options.json }
  },
  ({ json }) =>
    Effect.flatMap(PortServerClient, (client) =>
      Output.print(Health, { json })(client.health(), ({ status }) => status)
    )
)
