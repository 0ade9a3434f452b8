import * as Command from "@port-server/command-line/command/Command"
import { EnsureResult } from "@port-server/domain/Ensure"
import * as Effect from "effect/Effect"
import * as Output from "../../output/Output.ts"
import { here } from "../../project/ProjectContext.ts"
import { ensureServices, placeFor } from "../../project/ProjectPorts.ts"
import * as Options from "../Options.ts"
import * as SchemaOptions from "../SchemaOptions.ts"

/** `portctl get` */
export const get = Command.make(
  "get",
  {
    summary: "Print the port of one of this project's services",
    details: [
      "A service that has no port yet is given one, as by portctl ensure. For a block it is the first port; workers+1 names the second. A service of a portctl.json further up has the port that {NAME} gives in portctl run."
    ],
    examples: ["curl http://localhost:$(portctl get web)/"],
    parameters: {
      service: SchemaOptions.requiredService,
      ...SchemaOptions.contextFlags,
      json: Options.json
    }
  },
  Effect.fnUntraced(function* ({ json, service, ...given }) {
    yield* Output.print(EnsureResult, { json })(
      here(given).pipe(
        Effect.flatMap((place) => placeFor(place, service, given)),
        Effect.flatMap((place) => ensureServices(place, [{ service }]))
      ),
      ({ allocations: [first] }) => String(first?.port ?? "")
    )
  })
)
