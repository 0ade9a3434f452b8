import * as Command from "@port-server/command-line/command/Command"
import { NonZeroExit } from "@port-server/command-line/UsageError"
import { PortStatus } from "@port-server/domain/api/PortServerApi"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { escapeControls } from "@port-server/domain/Name"
import * as Effect from "effect/Effect"
import * as AllocationTable from "../../output/AllocationTable.ts"
import { isListening } from "../../output/ListenerFormat.ts"
import * as Output from "../../output/Output.ts"
import * as Options from "../Options.ts"

/** `portctl check` */
export const check = Command.make(
  "check",
  {
    summary: "Check that a port is free: not allocated, and nothing listens on it",
    examples: ["portctl check --port 5432"],
    exitCodes: {
      0: "The port is free",
      1: "It is allocated, something listens on it or may, or the server did not respond"
    },
    parameters: { port: Options.port, json: Options.json }
  },
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
    if (!available || listener !== undefined || listener_error !== undefined) {
      return yield* new NonZeroExit({ status: 1 })
    }
  })
)
