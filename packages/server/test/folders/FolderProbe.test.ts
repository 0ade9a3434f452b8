import { mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { realFolder } from "../../../../test/support/Git.ts"
import { FolderProbe } from "../../src/folders/FolderProbe.ts"

const idOf = (path: string) => {
  const { birthtimeNs, ino } = statSync(path, { bigint: true })
  return birthtimeNs === 0n ? "" : `${ino}:${birthtimeNs}`
}
const deviceOf = (path: string) => String(statSync(path, { bigint: true }).dev)

layer(FolderProbe.Default, { excludeTestServices: true })("a probe of folders", (it) => {
  it.scoped("finds what is there, by its real path and its parent's device", () =>
    Effect.gen(function* () {
      const { probe } = yield* FolderProbe
      const folder = yield* realFolder
      const [real, link] = [join(folder, "real"), join(folder, "link")]
      mkdirSync(real)
      symlinkSync(real, link)
      const states = yield* probe([real, link, "/proc/self", "/"])
      expect(states.get(real)).toEqual({ _tag: "Present", real, device: deviceOf(folder), id: idOf(real) })
      expect(states.get(link)).toEqual({ _tag: "Present", real, device: deviceOf(folder), id: idOf(real) })
      expect(states.get("/")).toEqual({ _tag: "Present", real: "/", device: deviceOf("/"), id: idOf("/") })
      expect(states.get("/proc/self")).toMatchObject({ _tag: "Present", device: deviceOf("/proc") })
    })
  )

  it.scoped("finds what is not there, and how much of the way to it is", () =>
    Effect.gen(function* () {
      const { probe } = yield* FolderProbe
      const folder = yield* realFolder
      mkdirSync(join(folder, "empty"))
      writeFileSync(join(folder, "file"), "")
      const device = deviceOf(folder)
      const absent = { _tag: "Absent", hasParent: true, isParentEmpty: false, device }
      const paths = ["one", "empty/one", "gone/one", "gone/far/one", "file/one"].map((path) => join(folder, path))
      expect([...(yield* probe(paths)).values()]).toEqual([
        absent,
        { ...absent, isParentEmpty: true },
        { ...absent, hasParent: false },
        { ...absent, hasParent: false },
        { ...absent, isParentEmpty: true }
      ])
    })
  )

  it.scoped("does not take what cannot be probed for absent", () =>
    Effect.gen(function* () {
      const { probe } = yield* FolderProbe
      const folder = yield* realFolder
      const loop = join(folder, "loop")
      symlinkSync(loop, loop)
      const long = join(folder, "x".repeat(300))
      const states = yield* probe([join(loop, "one"), long])
      expect(states.get(join(loop, "one"))).toEqual({ _tag: "Unknown", reason: "ELOOP" })
      expect(states.get(long)).toEqual({ _tag: "Unknown", reason: "ENAMETOOLONG" })
    })
  )

  it.scoped("probes thousands of folders of one mount", () =>
    Effect.gen(function* () {
      const { probe } = yield* FolderProbe
      const folder = yield* realFolder
      const paths = Array.from({ length: 3_000 }, (_, index) => join(folder, String(index)))
      for (const path of paths.slice(0, 100)) mkdirSync(path)
      const states = yield* probe(paths)
      expect([...states.keys()]).toEqual(paths)
      expect([...states].filter(([, { _tag }]) => _tag === "Present").map(([path]) => path)).toEqual(
        paths.slice(0, 100)
      )
      expect(new Set(paths.map(dirname))).toEqual(new Set([folder]))
    })
  )
})
