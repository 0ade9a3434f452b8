import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { git, realFolder, repository, submodule, worktree } from "../../support/Git.ts"
import { freePorts, hasIpv6, listeningProgram } from "../../support/Listening.ts"
import { canMount, mount } from "../../support/Mount.ts"
import { type PortServer, portctl, start, startServer } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

const folder = (...parts: ReadonlyArray<string>): string => {
  const path = join(...parts)
  mkdirSync(path, { recursive: true })
  return path
}

const ensure = (server: PortServer, path: string, port: number, instance = "main") =>
  call(server.port, "POST", "/v1/ensure", { app: "shop", instance, path, services: [{ service: "web", port }] })

/** Of each listener of a port whether it belongs to the project that holds it. */
const belongs = (server: PortServer, port: number) =>
  Effect.map(call(server.port, "GET", `/v1/ports/${port}`), ({ json }) => {
    const { listeners } = Object(json)
    return listeners.map(({ belongs }: { readonly belongs?: string }) => belongs)
  })

/** A project's repository, and a program that listens in a folder on the port that the project holds. */
const listening = (server: PortServer, project: string, cwd: string) =>
  Effect.gen(function* () {
    const { pid, port } = yield* listeningProgram({ cwd, port: yield* freePorts(1) })
    yield* ensure(server, project, port, `i${port}`)
    return { pid, port }
  })

describe("a process on a port that a project holds", { concurrent: true }, () => {
  const places: ReadonlyArray<
    readonly [title: string, prepare: (project: string) => readonly [cwd: string, path?: string], verdict: string]
  > = [
    ["in its folder", (project) => [project], "yes"],
    ["in a folder below it", (project) => [folder(project, "packages/api")], "yes"],
    [
      "in its folder, known by a symbolic link",
      (project) => {
        symlinkSync(project, `${project}-link`)
        return [folder(project, "src"), `${project}-link`]
      },
      "yes"
    ],
    [
      "in a submodule",
      (project) => {
        submodule(project, repository(`${project}-library`), "library")
        return [folder(project, "library/src")]
      },
      "yes"
    ],
    [
      "in a submodule that was made where it is, with its own git directory",
      (project) => {
        const library = repository(join(project, "library"))
        submodule(project, library, "library")
        return [folder(library, "src")]
      },
      "yes"
    ],
    [
      "in a submodule of a submodule",
      (project) => {
        const [library, base] = [repository(`${project}-library`), repository(`${project}-base`)]
        submodule(library, base, "base")
        submodule(project, library, "library")
        git(project, "submodule", "--quiet", "update", "--init", "--recursive")
        return [folder(project, "library/base/src")]
      },
      "yes"
    ],
    [
      "in a worktree of a submodule inside it",
      (project) => {
        submodule(project, repository(`${project}-library`), "library")
        return [folder(worktree(join(project, "library"), join(project, "library-feature")), "src")]
      },
      "no"
    ],
    [
      "in a submodule of its linked worktree",
      (project) => {
        submodule(project, repository(`${project}-library`), "library")
        const linked = worktree(project, `${project}-feature`)
        git(linked, "submodule", "--quiet", "update", "--init")
        return [join(linked, "library"), linked]
      },
      "yes"
    ],
    [
      "in a worktree inside it that never asked for a port",
      (project) => {
        mkdirSync(join(project, ".claude"))
        return [folder(worktree(project, join(project, ".claude/agent-1")), "src")]
      },
      "no"
    ],
    ["in a clone inside it", (project) => [repository(join(project, "vendor/other"))], "no"],
    [
      "in a Mercurial checkout inside it",
      (project) => {
        folder(project, "old/.hg")
        return [folder(project, "old/src")]
      },
      "no"
    ],
    ["in a folder beside it whose name begins alike", (project) => [folder(`${project}-two`)], "no"],
    ["above it", (project) => [join(project, "..")], "no"]
  ]
  for (const [title, prepare, verdict] of places) {
    it.scopedLive(`${title}: ${verdict}`, () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const project = repository(join(yield* realFolder, "shop"))
        const [cwd, path = project] = prepare(project)
        const { port } = yield* listening(server, path, cwd)
        expect(yield* belongs(server, port)).toEqual([verdict])
        const { json } = yield* call(server.port, "GET", "/v1/listeners")
        expect(json).toContainEqual(
          expect.objectContaining({ port, listeners: [expect.objectContaining({ belongs: verdict })] })
        )
      })
    )
  }

  it.scopedLive("in another project inside it: no, though it has no repository of its own", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const project = repository(join(yield* realFolder, "shop"))
      const inner = folder(project, "packages/api")
      const { port } = yield* listening(server, project, folder(inner, "src"))
      expect(yield* belongs(server, port)).toEqual(["yes"])
      yield* ensure(server, inner, yield* freePorts(1), "inner")
      expect(yield* belongs(server, port)).toEqual(["no"])
    })
  )

  it.scopedLive("in a worktree that was removed and made again: no", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const project = repository(join(yield* realFolder, "shop"))
      const linked = worktree(project, `${project}-feature`)
      const { port } = yield* listening(server, linked, linked)
      expect(yield* belongs(server, port)).toEqual(["yes"])
      git(project, "worktree", "remove", linked)
      expect(yield* belongs(server, port)).toEqual(["no"])
      worktree(project, linked)
      expect(yield* belongs(server, port)).toEqual(["no"])
      const { stdout } = yield* portctl(["why", "--port", String(port)], { server })
      expect(stdout).toContain("belongs to the allocation's project: no\n")
    })
  )

  it.scopedLive("in a folder whose name ends as the kernel marks removed ones: yes", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const project = folder(yield* realFolder, "shop (deleted)")
      const { port } = yield* listening(server, project, folder(project, "src (deleted)"))
      expect(yield* belongs(server, port)).toEqual(["yes"])
      rmSync(join(project, "src (deleted)"), { recursive: true })
      expect(yield* belongs(server, port)).toEqual(["no"])
    })
  )

  const ownMounts = spawnSync("unshare", ["--mount", "true"]).status === 0
  it.scopedLive("in a folder inside it whose name is not UTF-8, and so cannot be looked for: unknown", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const project = repository(join(yield* realFolder, "shop"))
      const port = yield* freePorts(1)
      yield* ensure(server, project, port)
      const script = `require("node:net").createServer().listen(${port}, "127.0.0.1", () => console.log("listens"))`
      const inside = 'mkdir "$(printf "caf\\351")" && cd "$(printf "caf\\351")" && exec "$0" -e "$1"'
      const program = yield* start("sh", ["-c", inside, process.execPath, script], { cwd: project })
      yield* program.printed(/listens/)
      expect(yield* belongs(server, port)).toEqual(["unknown"])
    })
  )

  it.scopedLive.skipIf(!ownMounts)("in another mount namespace: unknown, and without a folder", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const project = folder(yield* realFolder, "shop")
      const port = yield* freePorts(1)
      yield* ensure(server, project, port)
      const script = `require("node:net").createServer().listen(${port}, "127.0.0.1", () => console.log("listens"))`
      const program = yield* start("unshare", ["--mount", process.execPath, "-e", script], { cwd: project })
      yield* program.printed(/listens/)
      const { json } = yield* call(server.port, "GET", `/v1/ports/${port}`)
      const { cwd, ...listener } = Object(json).listeners[0]
      expect({ cwd, ...listener }).toMatchObject({ cwd: undefined, pid: program.pid, belongs: "unknown" })
    })
  )

  it.scopedLive.skipIf(!hasIpv6)("at IPv4 is the project's, while another one's at IPv6 is not: why is no", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const project = repository(join(yield* realFolder, "shop"))
      const linked = worktree(project, `${project}-feature`)
      const { pid, port } = yield* listening(server, project, project)
      const script = `require("node:net").createServer().listen(${port}, "::1", () => console.log("listens"))`
      const other = yield* start(process.execPath, ["-e", script], { cwd: linked })
      yield* other.printed(/listens/)
      expect(yield* belongs(server, port)).toEqual(["yes", "no"])
      const { stdout } = yield* portctl(["why", "--port", String(port)], { server })
      expect(stdout).toContain(`node (pid ${pid}) is listening on it (tcp 127.0.0.1)\n`)
      expect(stdout).toContain(`node (pid ${other.pid}) is listening on it (tcp ::1)\n`)
      expect(stdout).toContain(`  folder:   ${linked}\n  belongs:  no\n`)
      expect(stdout).toMatch(/^belongs to the allocation's project: no$/m)
      const checked = yield* portctl(["check", "--port", String(port)], { server })
      expect(checked.stdout).toContain("(tcp ::1), and does not belong to the allocation's project\n")
      const listed = yield* portctl(["list", "--live"], { server })
      expect(listed.stdout).toContain(`node (pid ${pid}) tcp 127.0.0.1; node (pid ${other.pid}) tcp ::1 (foreign)\n`)
    })
  )

  it.scopedLive.skipIf(!canMount)("below a folder on a mount that hangs: unknown, and nothing waits for it", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const disk = yield* mount
      const project = folder(disk.folder, "shop")
      const { port } = yield* listening(server, project, folder(project, "src"))
      expect(yield* belongs(server, port)).toEqual(["yes"])
      yield* disk.hang
      expect(yield* belongs(server, port)).toEqual(["unknown"])
      yield* disk.resume
    })
  )
})
