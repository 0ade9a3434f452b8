import * as Command from "@effect/cli/Command"
import { Backup } from "@port-server/domain/Backup"
import { PortServerClient } from "@port-server/domain/PortServerClient"
import { describe } from "@port-server/program/Description"
import * as Effect from "effect/Effect"
import * as Flags from "../Flags.ts"
import * as Output from "../Output.ts"

/** `portctl export` */
export const exportAll = Command.make("export", { json: Flags.json }, ({ json }) =>
  Effect.flatMap(PortServerClient, (client) =>
    Output.answer(Backup, { json, indent: 2 })(
      Effect.map(client.list(), (allocations) => ({ version: 1, allocations }) as const),
      (backup) => JSON.stringify(backup, undefined, 2)
    )
  )
).pipe(describe("Print all allocations as a backup, for portctl import", "portctl export > ports.json"))
