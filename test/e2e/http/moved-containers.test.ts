import { mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { type FakeContainer, fakeEngine } from "../../support/FakeEngine.ts"
import { git, identity, realFolder, repository, worktree } from "../../support/Git.ts"
import { freePorts } from "../../support/Listening.ts"
import { startServer, temporaryFolder } from "../../support/Programs.ts"
import { readDatabase } from "../../support/Sqlite.ts"
import { call } from "../../support/Wire.ts"

interface Asked {
  readonly port?: number
  readonly prefer?: number
  readonly service?: string
  readonly project?: string
  readonly isPlain?: boolean
}

/** A server, an engine with containers that can be added to, and a repository. */
const scene = Effect.gen(function* () {
  const containers: Array<FakeContainer> = []
  const engine = yield* fakeEngine(containers)
  const first = yield* freePorts(20)
  const folder = yield* temporaryFolder
  const args = ["--engine", engine, "--range", `${first}-${first + 19}`]
  const server = yield* startServer({ probe: true, folder, args })
  const top = yield* realFolder

  /** A working copy asks for a port of a service, or for those that it has. */
  const ask = (copy: string, { isPlain = false, project, service = "db", ...more }: Asked | undefined = {}) => {
    const path = project === undefined ? copy : join(copy, project)
    const gitDir = isPlain ? undefined : git(copy, "rev-parse", "--absolute-git-dir").trimEnd()
    const working_copy = {
      folder: path,
      identity: identity(path, ...(gitDir === undefined ? [] : [gitDir])),
      ...(gitDir === undefined ? {} : { git_dir: gitDir }),
      ...(project === undefined ? {} : { project })
    }
    const services = Object.keys(more).length === 0 ? [] : [{ service, ...more }]
    const body = { app: "shop", instance: "main", services, working_copy }
    return Effect.map(call(server.port, "POST", "/v1/ensure", body), (answer) => {
      expect(answer.status, answer.body).toBe(200)
      return Object(answer.json)
    })
  }

  /** Whether the containers on a port belong to the project that holds it, and whose they are instead. */
  const verdicts = (port: number) =>
    Effect.map(call(server.port, "GET", `/v1/ports/${port}`), ({ json }) => {
      const { listeners = [], reserved } = Object(json)
      return [...listeners, ...(reserved === undefined ? [] : [reserved])].map(({ belongs, project }) =>
        project === undefined ? belongs : `${belongs}, ${project.instance}`
      )
    })
  /** Add containers, and wait until the server has seen them: it then knows them also where the engine is late. */
  const add = (...more: ReadonlyArray<FakeContainer>) =>
    Effect.suspend(() => {
      containers.push(...more)
      return Effect.repeat(call(server.port, "GET", "/v1/containers"), {
        until: ({ json }) => {
          const seen: ReadonlyArray<{ readonly ports: ReadonlyArray<unknown> }> = Object(json).containers
          return seen.length === containers.length && seen.every(({ ports }) => ports.length > 0)
        },
        schedule: Schedule.spaced("20 millis")
      })
    })

  return { add, ask, first, server, top, verdicts, repository: repository(join(top, "shop")) }
})

describe.concurrent("the containers of a working copy that was moved", () => {
  it.scopedLive("belong to it before anything has asked there", () =>
    Effect.gen(function* () {
      const { add, ask, first, repository, top, verdicts } = yield* scene
      const [before, now] = [join(top, "red"), join(top, "blue")]
      worktree(repository, before)
      yield* ask(before, { port: first })
      yield* add(
        { name: "db", port: first, folder: before },
        { name: "deploy", port: first, folder: join(before, "deploy") }
      )
      git(repository, "worktree", "move", before, now)
      mkdirSync(join(now, "deploy"))
      expect(yield* verdicts(first)).toEqual(["yes", "yes"])
    })
  )

  it.scopedLive("belong to it, running and stopped, however often it is moved", () =>
    Effect.gen(function* () {
      const { add, ask, first, repository, server, top, verdicts } = yield* scene
      const [start, ...ways] = ["a", "b", "c"].map((name) => join(top, name))
      if (start === undefined) throw new Error("there is one")
      worktree(repository, start)
      yield* ask(start, { port: first })
      yield* ask(start, { service: "mail", port: first + 1 })
      yield* ask(repository, { service: "other", port: first + 2 })
      yield* add(
        { name: "db", port: first, folder: start },
        { name: "deploy", port: first, folder: join(start, "deploy") },
        { name: "mail", port: first + 1, folder: start, isStopped: true },
        { name: "other", port: first + 2, folder: start }
      )
      mkdirSync(join(start, "deploy"))
      let from = start
      for (const to of ways) {
        git(repository, "worktree", "move", from, to)
        expect(yield* ask(to)).toMatchObject({ moved_from: from })
        expect(yield* verdicts(first)).toEqual(["yes", "yes"])
        expect(yield* verdicts(first + 1)).toEqual(["yes"])
        expect(yield* verdicts(first + 2)).toEqual(["no, main"])
        from = to
      }
      const { json } = yield* call(server.port, "GET", "/v1/listeners")
      expect(json).toContainEqual(
        expect.objectContaining({
          port: first,
          listeners: [expect.objectContaining({ belongs: "yes" }), expect.objectContaining({ belongs: "yes" })]
        })
      )
      git(repository, "worktree", "remove", "--force", from)
      expect(yield* verdicts(first)).toEqual(["no, main", "no, main"])
    })
  )

  it.scopedLive("leave their numbers to it, and to no other one", () =>
    Effect.gen(function* () {
      const { add, ask, first, repository, top } = yield* scene
      const [before, now] = [worktree(repository, join(top, "before")), join(top, "now")]
      yield* ask(before, { service: "web", port: first })
      yield* add(
        { name: "db", port: first + 5, folder: before },
        { name: "mail", port: first + 6, folder: before, isStopped: true }
      )
      git(repository, "worktree", "move", before, now)
      yield* ask(now)
      expect(yield* ask(repository, { prefer: first + 5 })).toMatchObject({ allocations: [{ port: first + 1 }] })
      expect(yield* ask(now, { prefer: first + 5 })).toMatchObject({ allocations: [{ port: first + 5 }] })
      expect(yield* ask(now, { service: "mail", prefer: first + 6 })).toMatchObject({
        allocations: [{ port: first + 6 }]
      })
    })
  )

  it.scopedLive("are those of the one that is at its place now, also after that is gone", () =>
    Effect.gen(function* () {
      const { add, ask, first, repository, top, verdicts } = yield* scene
      const [place, away] = [worktree(repository, join(top, "place")), join(top, "away")]
      yield* ask(place, { port: first })
      yield* add({ name: "db", port: first, folder: place })
      git(repository, "worktree", "move", place, away)
      yield* ask(away)
      expect(yield* verdicts(first)).toEqual(["yes"])
      // An engine makes the folders that a restarted container mounts.
      mkdirSync(join(place, "www"), { recursive: true })
      expect(yield* verdicts(first)).toEqual(["yes"])
      rmSync(place, { recursive: true })
      worktree(repository, place)
      expect(yield* verdicts(first)).toEqual(["no"])
      yield* ask(place, { port: first + 1 })
      expect(yield* verdicts(first)).toEqual(["no, main-2"])
      git(repository, "worktree", "remove", place)
      expect(yield* verdicts(first)).toEqual(["no, main-2"])
      // It is moved as well: what has this folder is from then on the one that left it last.
      worktree(repository, place)
      yield* ask(place)
      git(repository, "worktree", "move", place, join(top, "second"))
      yield* ask(join(top, "second"))
      expect(yield* verdicts(first)).toEqual(["no, main-2"])
    })
  )

  it.scopedLive("do not belong to a new worktree that has the git directory of a removed one", () =>
    Effect.gen(function* () {
      const { add, ask, first, repository, server, top, verdicts } = yield* scene
      const [before, removed, made] = [join(top, "search"), join(top, "old/search"), join(top, "new/search")]
      worktree(repository, before)
      yield* ask(before, { port: first })
      yield* add({ name: "older", port: first, folder: before }, { name: "old", port: first, folder: removed })
      mkdirSync(join(top, "old"))
      git(repository, "worktree", "move", before, removed)
      yield* ask(removed)
      expect(yield* verdicts(first)).toEqual(["yes", "yes"])
      git(repository, "worktree", "remove", removed)
      worktree(repository, made)
      expect(yield* ask(made)).toMatchObject({ moved_from: removed })
      expect(yield* verdicts(first)).toEqual(["no", "no"])
      // Its own move is remembered all the same.
      yield* add({ name: "new", port: first, folder: made })
      git(repository, "worktree", "move", made, join(top, "now"))
      yield* ask(join(top, "now"))
      expect(yield* verdicts(first)).toEqual(["no", "no", "yes"])
      expect(yield* readDatabase(server.database, "SELECT folder FROM former_folders")).toEqual([{ folder: made }])
    })
  )

  it.scopedLive("belong to it in a project inside it, until there is another clone", () =>
    Effect.gen(function* () {
      const { add, ask, first, repository: clone, top, verdicts } = yield* scene
      const [project, now] = ["packages/api", join(top, "store")]
      mkdirSync(join(clone, project), { recursive: true })
      yield* ask(clone, { project, port: first })
      yield* add({ name: "db", port: first, folder: join(clone, project) })
      renameSync(clone, now)
      yield* ask(now, { project })
      expect(yield* verdicts(first)).toEqual(["yes"])
      repository(clone)
      mkdirSync(join(clone, project), { recursive: true })
      expect(yield* verdicts(first)).toEqual(["no"])
    })
  )

  it.scopedLive("belong to it outside git, until a folder is there again", () =>
    Effect.gen(function* () {
      const { add, ask, first, top, verdicts } = yield* scene
      const [before, now] = [join(top, "before"), join(top, "now")]
      mkdirSync(before)
      yield* ask(before, { isPlain: true, port: first })
      yield* add({ name: "db", port: first, folder: before })
      renameSync(before, now)
      yield* ask(now, { isPlain: true })
      expect(yield* verdicts(first)).toEqual(["yes"])
      mkdirSync(before)
      expect(yield* verdicts(first)).toEqual(["no"])
    })
  )

  it.scopedLive("belong to it by a path with a symbolic link", () =>
    Effect.gen(function* () {
      const { add, ask, first, repository, top, verdicts } = yield* scene
      const [place, away] = [worktree(repository, join(top, "place")), join(top, "away")]
      symlinkSync(top, join(top, "link"))
      yield* ask(place, { port: first })
      yield* add({ name: "db", port: first, folder: join(top, "link/place/deploy") })
      git(repository, "worktree", "move", place, away)
      mkdirSync(join(away, "deploy"))
      yield* ask(away)
      expect(yield* verdicts(first)).toEqual(["yes"])
    })
  )

  it.scopedLive("are judged beside one whose label is no path", () =>
    Effect.gen(function* () {
      const { add, ask, first, repository, top, verdicts } = yield* scene
      const [before, now] = [worktree(repository, join(top, "before")), join(top, "now")]
      yield* ask(before, { port: first })
      yield* add(
        { name: "db", port: first, folder: before },
        { name: "odd", port: first, folder: "/a".repeat(30_000) },
        { name: "deep", port: first, folder: "/a".repeat(1_000) }
      )
      git(repository, "worktree", "move", before, now)
      yield* ask(now)
      expect(yield* verdicts(first)).toEqual(["yes", "unknown", "unknown"])
    })
  )

  it.scopedLive("are known by its last eight folders, which are forgotten with it", () =>
    Effect.gen(function* () {
      const { ask, first, repository, server, top } = yield* scene
      const folders = Array.from({ length: 11 }, (_, index) => join(top, `${index}`))
      worktree(repository, join(top, "0"))
      yield* ask(join(top, "0"), { port: first })
      for (const [index, folder] of folders.entries()) {
        if (index === 0) continue
        git(repository, "worktree", "move", folders[index - 1] ?? "", folder)
        yield* ask(folder)
      }
      const former = readDatabase(server.database, "SELECT folder FROM former_folders ORDER BY id")
      expect(yield* former).toEqual(folders.slice(2, 10).map((folder) => ({ folder })))
      // Another one takes its place over.
      git(repository, "worktree", "remove", join(top, "10"))
      expect(yield* ask(worktree(repository, join(top, "new")), { port: first })).toMatchObject({ instance: "main" })
      expect(yield* former).toEqual([])
    })
  )
})
