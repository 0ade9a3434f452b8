import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import type { Terminal } from "@port-server/command-line/terminal/Terminal"
import { UsageError } from "@port-server/command-line/UsageError"
import { Allocation } from "@port-server/domain/Allocation"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as AllocationTable from "../../output/AllocationTable.ts"
import * as Output from "../../output/Output.ts"
import * as Options from "../Options.ts"
import type * as ListWatch from "./ListWatch.ts"

/** {@link ListWatch.watch}, which few lists need. */
const watch = <A, R>(...args: Parameters<typeof ListWatch.watch<A, R>>) =>
  Effect.flatMap(
    Effect.promise(() => import("./ListWatch.ts")),
    (module) => module.watch(...args)
  )

/** `portctl list` */
export const list = Command.make(
  "list",
  {
    summary: "List the allocations, all or those that match every filter given",
    examples: ["portctl list --app myapp --live", "portctl list --json"],
    parameters: {
      app: Options.appFilter,
      instance: Options.instanceFilter,
      service: Options.serviceFilter,
      folder: Flag.boolean("folder", "Show the project folders, as on a terminal of 120 columns"),
      live: Flag.boolean("live", "Also show which sockets hold each port"),
      watch: Flag.boolean("watch", "Draw the table again on each change, until interrupted"),
      json: Options.json
    }
  },
  Effect.fnUntraced(function* ({ folder, json, live: isLive, watch: isWatched, ...selector }) {
    const client = yield* PortServerClient
    if (isWatched && json) return yield* new UsageError({ message: "--watch and --json exclude each other" })
    const watched = isWatched ? selector : undefined
    if (isLive) {
      const { LiveAllocation, listening, read } = yield* Effect.promise(() => import("./LiveList.ts"))
      const table = (found: ReadonlyArray<typeof LiveAllocation.Type>, terminal: Terminal) =>
        AllocationTable.table(found, terminal, [listening], folder)
      const allocations = read(client, selector)
      return yield* watched === undefined
        ? Output.print(Schema.Array(LiveAllocation), { json, indent: 2 })(allocations, table)
        : watch(watched, allocations, table)
    }
    const table = (found: ReadonlyArray<Allocation>, terminal: Terminal) =>
      AllocationTable.table(found, terminal, [], folder)
    const allocations = client.list(selector)
    return yield* watched === undefined
      ? Output.print(Schema.Array(Allocation), { json, indent: 2 })(allocations, table)
      : watch({ ...watched, listeners: "false" }, allocations, table)
  })
)
