import * as Command from "@effect/cli/Command"
import { Health } from "@port-server/domain/PortServerApi"
import { PortServerClient } from "@port-server/domain/PortServerClient"
import { describe } from "@port-server/program/Description"
import * as Effect from "effect/Effect"
import * as Flags from "../Flags.ts"
import * as Output from "../Output.ts"

/** `portctl health` */
export const health = Command.make("health", { json: Flags.json }, ({ json }) =>
  Effect.flatMap(PortServerClient, (client) => Output.answer(Health, { json })(client.health(), ({ status }) => status))
).pipe(
  describe("Check that the server is reachable", "portctl health", [], {
    exits: { 0: "It answers", 1: "It does not" }
  })
)
