import type { PortServerClient } from "@port-server/domain/api/PortServerClient"
import type { Backup, ImportResult } from "@port-server/domain/Backup"
import * as Effect from "effect/Effect"

/** How much of a backup goes into one request, in characters of JSON: the server takes a few milliseconds for it. */
const partLength = 256 * 1024

type Entries = Backup["allocations"]

/** The allocations in parts, in their order; at least one part. */
const partsOf = (allocations: Entries): ReadonlyArray<Entries> => {
  const parts: Array<Entries> = []
  let start = 0
  let length = 0
  for (const [index, entry] of allocations.entries()) {
    const own = JSON.stringify(entry).length
    if (length + own > partLength && index > start) {
      parts.push(allocations.slice(start, index))
      start = index
      length = 0
    }
    length += own
  }
  return [...parts, allocations.slice(start)]
}

/**
 * Import a backup of any length, all of it or nothing: a long one in several requests of one transaction.
 *
 * @param onPart called with how many allocations have been sent
 */
export const importInParts = Effect.fnUntraced(function* <R>(
  client: PortServerClient,
  { allocations, version }: Backup,
  dry_run: boolean,
  onPart: (sent: number) => Effect.Effect<void, never, R>
) {
  const parts = partsOf(allocations)
  const id = globalThis.crypto.randomUUID()
  let result: ImportResult = { imported: 0, unchanged: 0 }
  let sent = 0
  for (const [part, entries] of parts.entries()) {
    const last = part === parts.length - 1
    const whole = { version, allocations: entries, dry_run }
    result = yield* client.import(parts.length === 1 ? whole : { ...whole, transaction: { id, part, last } })
    sent += entries.length
    yield* onPart(sent)
  }
  return result
})
