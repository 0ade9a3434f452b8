import { Kept, type PruneResult } from "@port-server/domain/Prune"
import * as Effect from "effect/Effect"
import * as JsonSlices from "./JsonSlices.ts"
import * as LongBody from "./LongBody.ts"

const encodeKept = JsonSlices.encoder(Kept)

/** The result of a prune; a long one is encoded in slices, so that other requests are served in between. */
export const encodePruneResult = Effect.fnUntraced(function* (result: PruneResult) {
  const { allocations, kept = [] } = result
  if (JsonSlices.isShort(allocations) && JsonSlices.isShort(kept)) return result
  const before = yield* JsonSlices.encodeAllocations(JsonSlices.slicesOf(allocations), '{"allocations":[', "]")
  const after = yield* encodeKept(JsonSlices.slicesOf(kept), ',"kept":[', "]}")
  return LongBody.response([...before, ...after])
})
