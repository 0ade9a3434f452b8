import type { ImportRequest, ImportResult, ImportTransaction } from "@port-server/domain/Backup"
import { InvalidRequest, StorageUnavailable } from "@port-server/domain/Errors"
import { ImportConflict } from "@port-server/domain/ImportConflict"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import { Registry } from "./Registry.ts"

/** How long the next part of an import may take. */
const patience = "60 seconds"

/** Most allocations of one import: one for each port. */
const mostAllocations = 65_535

/** Most bytes of all imports whose last part has not come; a single one may exceed it. */
const mostBytes = 64 * 1024 * 1024

/** Most imports whose last part has not come. */
const mostOpen = 64

/** About what an allocation takes in memory beside its text, in bytes. */
const bytesPerAllocation = 512

/** Most conflicts in one response; their number is in its message. */
const mostConflicts = 100

type Allocations = ImportRequest["allocations"]

/** What has come of an import in several requests. */
interface Parts {
  readonly parts: ReadonlyArray<Allocations>
  readonly length: number
  /** About what they take in memory. */
  readonly bytes: number
}

const none: Parts = { parts: [], length: 0, bytes: 0 }

const bytesOf = (allocations: Allocations) =>
  allocations.reduce(
    (sum, { app, instance, path = "", service }) => sum + app.length + instance.length + service.length + path.length,
    allocations.length * bytesPerAllocation
  )

const invalid = (message: string) => new InvalidRequest({ message })

/** Imports in one request or in several. All methods can also fail with a `StorageError`. */
export class Imports extends Effect.Service<Imports>()("@port-server/server/registry/Imports", {
  scoped: Effect.gen(function* () {
    const registry = yield* Registry
    const open = new Map<string, Parts>()
    /** What imports did whose last part, of that number, has come. */
    const done = new Map<string, { readonly part: number; readonly result: ImportResult }>()
    const expiries = yield* FiberMap.make<string>()

    const forget = (id: string) =>
      Effect.sync(() => {
        open.delete(id)
        done.delete(id)
      })
    const forgetLater = (id: string) => FiberMap.run(expiries, id, Effect.delay(forget(id), patience))

    /** Add a part to its import; one that was sent twice is there once. */
    const add = Effect.fnUntraced(function* ({ id, part }: ImportTransaction, allocations: Allocations) {
      const before = part === 0 ? none : open.get(id)
      if (before === undefined)
        return yield* invalid("the earlier parts of this import are no longer there, import again")
      if (part === before.parts.length - 1) return before
      if (part !== before.parts.length) return yield* invalid(`part ${before.parts.length} of this import is missing`)
      const after: Parts = {
        parts: [...before.parts, allocations],
        length: before.length + allocations.length,
        bytes: before.bytes + bytesOf(allocations)
      }
      if (after.length > mostAllocations) {
        yield* forget(id)
        return yield* invalid(`a backup has at most ${mostAllocations} allocations, one for each port`)
      }
      const others = [...open].flatMap(([other, { bytes }]) => (other === id ? [] : [bytes]))
      const total = others.reduce((sum, bytes) => sum + bytes, after.bytes)
      if (others.length >= mostOpen || (others.length > 0 && total > mostBytes)) {
        return yield* new StorageUnavailable({ message: "too many imports at a time, try again", retryAfter: 1 })
      }
      open.set(id, after)
      return after
    })

    const importAll = (request: ImportRequest) =>
      Effect.catchTag(registry.import(request), "ImportConflict", (error) => {
        const [first, ...others] = error.conflicts
        if (others.length < mostConflicts) return Effect.fail(error)
        const conflicts = [first, ...others.slice(0, mostConflicts - 1)] as const
        return Effect.fail(new ImportConflict({ conflicts, total: others.length + 1 }))
      })

    return {
      /**
       * Allocate everything in a backup, or nothing. The parts of a transaction are kept, for a minute each, until the last
       * one comes: then all of them are imported at once. They are kept on where the database could not be written, and what
       * an import did is known for a minute: a client that has no answer can send the last part again.
       */
      import: Effect.fnUntraced(function* ({ transaction, ...request }: ImportRequest) {
        if (transaction === undefined) return yield* importAll(request)
        const { id, last, part } = transaction
        if (part === 0) done.delete(id)
        const known = done.get(id)
        if (last && known?.part === part) return known.result
        const { parts } = yield* add(transaction, request.allocations)
        yield* forgetLater(id)
        if (!last) return { imported: 0, unchanged: 0 }
        const result = yield* Effect.tapError(importAll({ ...request, allocations: parts.flat() }), ({ _tag }) =>
          _tag === "ImportConflict" || _tag === "InvalidRequest" ? forget(id) : Effect.void
        )
        open.delete(id)
        done.set(id, { part, result })
        yield* forgetLater(id)
        return result
      })
    } as const
  })
}) {}
