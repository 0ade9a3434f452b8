import * as Command from "@effect/cli/Command"
import { escapeControls } from "@port-server/domain/Allocation"
import { ListeningPort } from "@port-server/domain/Listener"
import { PortServerClient } from "@port-server/domain/PortServerClient"
import { describe } from "@port-server/program/Description"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Flags from "../Flags.ts"
import * as Output from "../Output.ts"

/** What listens and nobody registered, but for the port-server that tells it. */
const unregistered = Effect.fnUntraced(function* (client: PortServerClient) {
  const listening = yield* client.listeners()
  const { pid } = yield* client.server()
  return listening.filter(({ holder, listener }) => holder === undefined && listener.pid !== pid)
})

const cell = (value: string | number | undefined) => escapeControls(String(value ?? "-"))

const table = (listening: ReadonlyArray<ListeningPort>): string =>
  listening.length === 0
    ? "nothing is listening that nobody registered"
    : Output.columns(
        ["PORT", "ADDRESS", "COMMAND", "PID", "USER", "FOLDER"],
        listening.map(({ addresses, listener: { command, cwd, pid, user }, port }) =>
          [port, addresses.join(",") || undefined, command, pid, user, cwd].map(cell)
        )
      )

/** `portctl scan` */
export const scan = Command.make("scan", { json: Flags.json }, ({ json }) =>
  Effect.flatMap(PortServerClient, (client) =>
    Output.answer(Schema.Array(ListeningPort), { json, indent: 2 })(unregistered(client), table)
  )
).pipe(
  describe("List what is listening on ports that nobody registered", "portctl scan", [
    "What may not be read of another user's process is shown as -."
  ])
)
