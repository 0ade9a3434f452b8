import * as Command from "@port-server/command-line/command/Command"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { ListeningPort } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Output from "../../output/Output.ts"
import { type Column, table } from "../../output/Table.ts"
import * as Options from "../Options.ts"

/** What listens and nobody registered, but for the port-server that tells it. */
const unregistered = Effect.fnUntraced(function* (client: PortServerClient) {
  const listening = yield* client.listeners()
  const { pid } = yield* client.server()
  return listening.filter(({ holder, listener }) => holder === undefined && listener.pid !== pid)
})

const or = (value: string | number | undefined): string => String(value ?? "-")

const columns: ReadonlyArray<Column<ListeningPort>> = [
  { heading: "PORT", cell: ({ port }) => String(port), style: "cyan" },
  { heading: "ADDRESS", cell: ({ addresses }) => addresses.join(",") || "-", shorten: "end" },
  { heading: "COMMAND", cell: ({ listener }) => or(listener.command), shorten: "end" },
  { heading: "PID", cell: ({ listener }) => or(listener.pid) },
  { heading: "USER", cell: ({ listener }) => or(listener.user), shorten: "end" },
  { heading: "FOLDER", cell: ({ listener }) => or(listener.cwd), style: "dim", shorten: "start" }
]

/** `portctl scan` */
export const scan = Command.make(
  "scan",
  {
    summary: "List what listens on ports that are not registered",
    details: ["- stands for what cannot be read of another user's process."],
    examples: ["portctl scan"],
    parameters: { json: Options.json }
  },
  ({ json }) =>
    Effect.flatMap(PortServerClient, (client) =>
      Output.print(Schema.Array(ListeningPort), { json, indent: 2 })(unregistered(client), (listening, terminal) =>
        listening.length === 0 ? "nothing is listening that nobody registered" : table(columns, listening, terminal)
      )
    )
)
