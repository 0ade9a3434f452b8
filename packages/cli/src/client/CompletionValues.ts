import type { Candidate, Values } from "@port-server/command-line/completion/Completion"
import type { Allocation } from "@port-server/domain/Allocation"
import type { AllocationFilter } from "@port-server/domain/AllocationFilter"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { escapeControls } from "@port-server/domain/Name"
import * as Effect from "effect/Effect"
import { usualAddress } from "../settings/UsualAddress.ts"
import * as OwnServer from "./OwnServer.ts"
import * as Transport from "./Transport.ts"

/** How long a person who pressed Tab waits for a server that does not answer. One that answers late is only busy. */
const patience = "3 seconds"

/** A flag whose values the server knows: what an allocation gives it, and the flags on the line that narrow it down. */
interface Known {
  readonly candidate: (allocation: Allocation) => Candidate
  readonly narrowedBy: ReadonlyArray<"app" | "instance" | "service">
}

const known: Readonly<Record<string, Known>> = {
  app: { candidate: ({ app }) => ({ value: app, text: "" }), narrowedBy: [] },
  instance: { candidate: ({ instance }) => ({ value: instance, text: "" }), narrowedBy: ["app"] },
  service: { candidate: ({ service }) => ({ value: service, text: "" }), narrowedBy: ["app", "instance"] },
  id: { candidate: ({ id, owner, port }) => ({ value: String(id), text: `${port} ${owner}` }), narrowedBy: [] },
  port: {
    candidate: ({ owner, port }) => ({ value: String(port), text: owner }),
    narrowedBy: ["app", "instance", "service"]
  }
}

const allocations = (selector: AllocationFilter) =>
  Effect.flatMap(usualAddress, (address) =>
    PortServerClient.over(address, OwnServer.make(address, Transport.make(address))).list(selector)
  ).pipe(
    Effect.timeout(patience),
    Effect.orElseSucceed((): ReadonlyArray<Allocation> => [])
  )

/** What the running server has for a flag; nothing when none runs, for a Tab must not start one. */
export const values: Values = (completes, given) => {
  const of = known[completes]
  if (of === undefined) return Effect.succeed([])
  const filter = Object.fromEntries(of.narrowedBy.map((field) => [field, given.get(field) ?? ""]))
  return Effect.map(allocations(filter), (found) => {
    // No shell can be given a name with control characters, which only an older program stored.
    const candidates = found.map(of.candidate).filter(({ value }) => escapeControls(value) === value)
    return [...new Map(candidates.map(({ text, value }) => [value, { value, text: escapeControls(text) }])).values()]
  })
}
