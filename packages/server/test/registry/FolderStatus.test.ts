import { describe, expect, it } from "@effect/vitest"
import { Allocation } from "@port-server/domain/Allocation"
import { type FolderState, unknown } from "../../src/folders/FolderState.ts"
import { otherOwner, statusOf } from "../../src/registry/FolderStatus.ts"

const present: FolderState = { _tag: "Present", real: "/disk/shop", device: "8", id: "1" }
const absent = { _tag: "Absent", hasParent: true, isParentEmpty: false, device: "8" } as const

describe("what became of a folder", () => {
  for (const [name, state, device, status] of [
    ["that is there", present, "8", "present"],
    ["that is there on another device", present, "9", "present"],
    ["that could not be probed", unknown("EIO"), "8", "unknown"],
    ["that was not probed", undefined, "8", "unknown"],
    ["that is absent on its device", absent, "8", "gone"],
    ["that is absent on its device, in an empty parent", { ...absent, isParentEmpty: true }, "8", "gone"],
    ["that is absent on another device", absent, "9", "not_mounted"],
    ["without a parent", { ...absent, hasParent: false }, "8", "parent_gone"],
    ["without a parent, on another device", { ...absent, hasParent: false }, "9", "not_mounted"],
    ["without a parent, of an unknown device", { ...absent, hasParent: false }, undefined, "parent_gone"],
    ["of an unknown device", absent, undefined, "gone"],
    ["of an unknown device, in an empty parent", { ...absent, isParentEmpty: true }, undefined, "not_mounted"]
  ] as const) {
    it(`${name}: ${status}`, () => {
      expect(statusOf(state, device)).toBe(status)
    })
  }
})

const held = (id: number, path?: string) =>
  Allocation.make({
    id: Allocation.fields.id.make(id),
    app: "shop",
    instance: "main",
    service: `s${id}`,
    port: id,
    created_at: "",
    ...(path === undefined ? {} : { path })
  })

const owner = (path: string, allocations: ReadonlyArray<Allocation>, states: Record<string, FolderState>) =>
  otherOwner(path, allocations, { states: new Map(Object.entries(states)), devices: new Map() })

const at = (real: string): FolderState => ({ ...present, real })

describe("the folder that an instance belongs to", () => {
  it("is that of its oldest allocation", () => {
    const states = { "/a": at("/a"), "/b": at("/b"), "/c": at("/c") }
    const allocations = [held(1), held(2, "/a"), held(3, "/b")]
    expect(owner("/c", allocations, states)).toBe("/a")
    expect(owner("/b", allocations, states)).toBe("/a")
    expect(owner("/a", allocations, states)).toBeUndefined()
  })

  it("is not one that is gone", () => {
    const states = { "/a": absent, "/b": at("/b"), "/c": at("/c") }
    expect(owner("/c", [held(1, "/a"), held(2, "/b")], states)).toBe("/b")
    expect(owner("/c", [held(1, "/a")], states)).toBeUndefined()
  })

  it("is one that cannot be probed", () => {
    expect(owner("/c", [held(1, "/a")], { "/a": unknown("EIO"), "/c": at("/c") })).toBe("/a")
  })

  it("is the same by another path", () => {
    expect(owner("/link", [held(1, "/a")], { "/a": at("/a"), "/link": at("/a") })).toBeUndefined()
  })
})
