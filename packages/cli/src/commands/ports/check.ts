import * as Command from "@effect/cli/Command"
import { describe } from "@port-server/command-line/command/Description"
import { Negative } from "@port-server/command-line/Program"
import { escapeControls } from "@port-server/domain/Allocation"
import { PortStatus } from "@port-server/domain/api/PortServerApi"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import * as Effect from "effect/Effect"
import * as AllocationTable from "../../output/AllocationTable.ts"
import { isListening } from "../../output/ListenerFormat.ts"
import * as Output from "../../output/Output.ts"
import * as Options from "../Options.ts"

/** `portctl check` */
export const check = Command.make(
  "check",
  { port: Options.port, json: Options.json },
  Effect.fnUntraced(function* ({ port, json }) {
    const client = yield* PortServerClient
    const { available, listener, listener_error } = yield* Output.print(PortStatus, { json })(
      client.check(port),
      ({ holder, holder_error, listener, listener_error }) => {
        if (holder !== undefined) return `port ${port} is allocated to ${AllocationTable.ownerAndId(holder)}`
        if (holder_error !== undefined) return escapeControls(holder_error)
        if (listener !== undefined) return `port ${port} is not allocated, but ${isListening(listener, "it")}`
        return listener_error === undefined
          ? `port ${port} is available`
          : `port ${port} is not allocated, but ${escapeControls(listener_error)}`
      }
    )
    if (!available || listener !== undefined || listener_error !== undefined) return yield* new Negative({ status: 1 })
  })
).pipe(
  describe("Check whether a port is allocated, or listened on without being so", "portctl check --port 5432", [], {
    exits: {
      0: "The port is available",
      1: "It is allocated, something is listening on it or may be, or the server could not be asked"
    }
  })
)
