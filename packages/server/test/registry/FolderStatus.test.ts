import { describe, expect, it } from "@effect/vitest"
import { type FolderState, unknown } from "../../src/folders/FolderState.ts"
import { statusOf } from "../../src/registry/FolderStatus.ts"

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
