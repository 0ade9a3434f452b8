import * as Command from "@effect/cli/Command"
import { PortStatus } from "@port-server/domain/PortServerApi"
import { PortServerClient } from "@port-server/domain/PortServerClient"
import { describe } from "@port-server/program/Description"
import { Negative } from "@port-server/program/Program"
import * as Effect from "effect/Effect"
import * as Flags from "../Flags.ts"
import * as Output from "../Output.ts"

/** `portctl check` */
export const check = Command.make(
  "check",
  { port: Flags.port, json: Flags.json },
  Effect.fnUntraced(function* ({ port, json }) {
    const client = yield* PortServerClient
    const { available } = yield* Output.answer(PortStatus, { json })(client.check(port), ({ holder }) =>
      holder === undefined ? `port ${port} is available` : `port ${port} is allocated to ${Output.ownerAndId(holder)}`
    )
    if (!available) return yield* new Negative()
  })
).pipe(
  describe("Check whether the registry has allocated a port", "portctl check --port 5432", [], {
    exits: { 0: "The port is available", 1: "It is allocated, or the server could not be asked" }
  })
)
