import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { serve } from "../../mcp/Serve.ts"

/** `portctl mcp` */
export const mcp = Command.make(
  "mcp",
  {
    summary: "Serve agents over the Model Context Protocol, on stdin and stdout",
    details: [
      "An agent starts it, in the folder of its session. The tools work as portctl does, in the folder that a call names: ensure_ports, get_ports, verify_ports, why_port, find_free_port, list_ports, release_ports and compose_plan."
    ],
    examples: ["claude mcp add port-server -- portctl mcp", "portctl mcp --read-only"],
    parameters: { readOnly: Flag.boolean("read-only", "Offer no tool that changes what is allocated") }
  },
  Effect.fnUntraced(function* ({ readOnly }) {
    if (process.stdin.isTTY) yield* Console.error("portctl mcp talks to an agent, which starts it; Ctrl+D ends it")
    yield* serve(readOnly)
  })
)
