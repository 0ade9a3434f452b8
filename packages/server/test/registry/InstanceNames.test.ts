import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type FolderState, unknown } from "../../src/folders/FolderState.ts"
import { ownerByPorts } from "../../src/registry/InstanceNames.ts"
import { ProbedFolders } from "../../src/registry/ProbedFolders.ts"
import type { PlacedRow } from "../../src/storage/InstanceRows.ts"

const absent = { _tag: "Absent", hasParent: true, isParentEmpty: false, device: "8" } as const
const at = (real: string): FolderState => ({ _tag: "Present", real, device: "8", id: "1" })

/** The owner of an instance whose allocations have these folders, read page by page; and what is to be probed first. */
const owner = (path: string, folders: ReadonlyArray<string>, states: Record<string, FolderState>) => {
  const rows = folders.map((path, index): PlacedRow => ({ id: index + 1, path, device: undefined }))
  const probed = new ProbedFolders(new Map(Object.entries(states)))
  const instances = {
    folders: (_: unknown, after = 0) => Effect.succeed(rows.filter(({ id }) => id > after).slice(0, 50))
  }
  return Effect.map(ownerByPorts(instances, { app: "shop", instance: "main" }, path, probed), (folder) => ({
    folder,
    missing: [...probed.missing]
  }))
}

describe("the folder that an instance belongs to", () => {
  it.effect("is that of its oldest allocation", () =>
    Effect.gen(function* () {
      const states = { "/a": at("/a"), "/b": at("/b"), "/c": at("/c") }
      expect(yield* owner("/c", ["/a", "/b"], states)).toEqual({ folder: "/a", missing: [] })
      expect(yield* owner("/b", ["/a", "/b"], states)).toEqual({ folder: "/a", missing: [] })
      expect(yield* owner("/a", ["/a", "/b"], states)).toEqual({ folder: undefined, missing: [] })
    })
  )

  it.effect("is not one that is gone", () =>
    Effect.gen(function* () {
      const states = { "/a": absent, "/b": at("/b"), "/c": at("/c") }
      expect(yield* owner("/c", ["/a", "/b"], states)).toEqual({ folder: "/b", missing: [] })
      expect(yield* owner("/c", [...Array.from({ length: 120 }, () => "/a"), "/b"], states)).toEqual({
        folder: "/b",
        missing: []
      })
      expect(yield* owner("/c", ["/a"], states)).toEqual({ folder: undefined, missing: [] })
    })
  )

  it.effect("is one that cannot be probed", () =>
    Effect.gen(function* () {
      const found = yield* owner("/c", ["/a"], { "/a": unknown("EIO"), "/c": at("/c") })
      expect(found).toEqual({ folder: "/a", missing: [] })
    })
  )

  it.effect("is the same by another path", () =>
    Effect.gen(function* () {
      const found = yield* owner("/link", ["/a"], { "/a": at("/a"), "/link": at("/a") })
      expect(found).toEqual({ folder: undefined, missing: [] })
    })
  )

  it.effect("is known without probing when it is the own one, and else after probing a few at a time", () =>
    Effect.gen(function* () {
      const folders = Array.from({ length: 200 }, (_, index) => `/${index}`)
      expect((yield* owner("/0", folders, {})).missing).toEqual([])
      expect((yield* owner("/other", folders, {})).missing).toEqual(folders.slice(0, 64))
      expect((yield* owner("/2", folders, {})).missing).toEqual(["/0", "/1"])
    })
  )
})
