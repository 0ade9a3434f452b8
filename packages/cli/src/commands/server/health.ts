import * as Command from "@effect/cli/Command"
import { describe } from "@port-server/command-line/command/Description"
import { Health } from "@port-server/domain/api/PortServerApi"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import * as Effect from "effect/Effect"
import * as Output from "../../output/Output.ts"
import * as Options from "../Options.ts"

/** `portctl health` */
export const health = Command.make("health", { json: Options.json }, ({ json }) =>
  Effect.flatMap(PortServerClient, (client) => Output.print(Health, { json })(client.health(), ({ status }) => status))
).pipe(
  describe("Check that the server is reachable", "portctl health", [], {
    exits: { 0: "It answers", 1: "It does not" }
  })
)
