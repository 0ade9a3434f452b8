import { mkdirSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Allocation } from "@port-server/domain/Allocation"
import { EnsureResult } from "@port-server/domain/Ensure"
import { PruneResult } from "@port-server/domain/Prune"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { allocate, expectError } from "../../support/Api.ts"
import { startServerOnFreePorts } from "../../support/Listening.ts"
import { type PortServer, startServer, temporaryFolder } from "../../support/Programs.ts"
import { listener } from "../../support/Sockets.ts"
import { execute, readDatabase } from "../../support/Sqlite.ts"
import { call } from "../../support/Wire.ts"

const ensure = (port: number, instance: string, folder: string, service: object = { service: "web" }) =>
  call(port, "POST", "/v1/ensure", { app: "shop", instance, path: folder, services: [service] })

const prune = (server: PortServer, body: object = {}) =>
  Effect.map(call(server.port, "POST", "/v1/prune", body), ({ json, status }) => ({ status, json }))

const decodeEnsured = Schema.decodeUnknownSync(EnsureResult)
const decodePruned = Schema.decodeUnknownSync(PruneResult)
const decodeList = Schema.decodeUnknownSync(Schema.Array(Allocation))

/** The ids in the result of a prune. */
const idsOf = (json: unknown) => {
  const { allocations, kept = [] } = decodePruned(json)
  return { allocations: allocations.map(({ id }) => id), kept: kept.map(({ allocation }) => allocation.id) }
}

const instances = (...names: ReadonlyArray<string>) => ({
  status: 200,
  json: { allocations: names.map((instance) => ({ app: "shop", instance })) }
})

const left = (server: PortServer) => Effect.map(call(server.port, "GET", "/v1/allocations"), ({ json }) => json)

const remaining = (server: PortServer) => Effect.map(left(server), (json) => decodeList(json).map(({ id }) => id))

/** A server with a worktree each for the instances `kept` and `gone`; the folder of `gone` is removed. */
const projects = Effect.gen(function* () {
  const server = yield* startServerOnFreePorts(4)
  const folder = yield* temporaryFolder
  for (const instance of ["kept", "gone"]) {
    mkdirSync(join(folder, instance))
    yield* ensure(server.port, instance, join(folder, instance))
  }
  rmSync(join(folder, "gone"), { recursive: true })
  return { server, folder }
})

describe("POST /v1/prune", () => {
  it.scopedLive("releases what was ensured for a folder that is gone, and answers it", () =>
    Effect.gen(function* () {
      const { server } = yield* projects
      yield* allocate(server.port, { app: "shop", instance: "by hand" })
      expect(yield* prune(server, { dry_run: true })).toMatchObject(instances("gone"))
      expect(yield* left(server)).toHaveLength(3)
      expect(yield* prune(server)).toMatchObject(instances("gone"))
      expect(yield* left(server)).toMatchObject([{ instance: "kept" }, { instance: "by hand" }])
      expect(yield* prune(server)).toEqual({ status: 200, json: { allocations: [] } })
    })
  )

  it.scopedLive("leaves alone a folder whose parent is gone too: its disk may be away", () =>
    Effect.gen(function* () {
      const { server } = yield* projects
      const { json } = yield* ensure(server.port, "away", "/nowhere/disk/shop")
      const pruned = yield* prune(server)
      expect(pruned).toMatchObject(instances("gone"))
      const { allocations } = decodeEnsured(json)
      expect(pruned.json).toMatchObject({ kept: [{ allocation: allocations[0], reason: "parent_gone" }] })
      expect(yield* left(server)).toMatchObject([{ instance: "kept" }, { instance: "away" }])
    })
  )

  it.scopedLive("releases the ports of a package, however deep, with its working copy", () =>
    Effect.gen(function* () {
      const { folder, server } = yield* projects
      const [top, project] = [join(folder, "feat"), "packages/api"]
      const path = join(top, project)
      mkdirSync(path, { recursive: true })
      mkdirSync(join(folder, "worktrees/feat"), { recursive: true })
      const working_copy = { folder: path, git_dir: join(folder, "worktrees/feat"), project, identity: "one" }
      const asked = { app: "shop:api", instance: "feat", services: [{ service: "api" }], working_copy }
      expect((yield* call(server.port, "POST", "/v1/ensure", asked)).status).toBe(200)
      rmSync(path, { recursive: true })
      rmSync(join(top, "packages"), { recursive: true })
      // The working copy is there: the package may be one of another branch.
      expect((yield* prune(server, { dry_run: true })).json).toMatchObject({
        kept: [{ allocation: { path }, reason: "parent_gone" }]
      })
      rmSync(top, { recursive: true })
      const { allocations } = decodePruned((yield* prune(server)).json)
      expect(allocations.map(({ app }) => app)).toEqual(["shop", "shop:api"])
    })
  )

  it.scopedLive("tells of a working copy whose disk is away, and keeps its ports", () =>
    Effect.gen(function* () {
      const { folder, server } = yield* projects
      const path = join(folder, "away")
      mkdirSync(path)
      const asked = { app: "shop", instance: "away", services: [{ service: "db" }] }
      yield* call(server.port, "POST", "/v1/ensure", { ...asked, working_copy: { folder: path, identity: "one" } })
      for (const table of ["folders", "working_copies"]) {
        yield* execute(server.database, `UPDATE ${table} SET device = '0'`)
      }
      rmSync(path, { recursive: true })
      const kept = [{ allocation: { instance: "gone" } }, { allocation: { instance: "away" }, reason: "not_mounted" }]
      expect((yield* prune(server)).json).toMatchObject({ allocations: [], kept })
    })
  )

  it.scopedLive("leaves alone the ports of an instance that another folder shares", () =>
    Effect.gen(function* () {
      const { folder, server } = yield* projects
      for (const name of ["one", "two"]) {
        const path = join(folder, name)
        mkdirSync(path)
        const asked = { app: "shop", instance: "shared", share: true, services: [{ service: "db" }] }
        const answer = yield* call(server.port, "POST", "/v1/ensure", {
          ...asked,
          working_copy: { folder: path, identity: name }
        })
        expect(answer.status).toBe(200)
      }
      rmSync(join(folder, "one"), { recursive: true })
      expect(yield* prune(server)).toEqual({
        status: 200,
        json: { allocations: [expect.objectContaining({ instance: "gone" })] }
      })
      // Its disk may be away.
      yield* execute(server.database, `UPDATE working_copies SET device = '0' WHERE folder = '${join(folder, "two")}'`)
      rmSync(join(folder, "two"), { recursive: true })
      expect(yield* prune(server)).toEqual({ status: 200, json: { allocations: [] } })
      yield* execute(server.database, "UPDATE working_copies SET device = NULL")
      mkdirSync(join(folder, "three"))
      expect(yield* prune(server)).toMatchObject(instances("shared"))
    })
  )

  it.scopedLive("leaves alone a port that something listens on, until it does no more", () =>
    Effect.gen(function* () {
      const { folder, server } = yield* projects
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { port } = yield* listener()
          yield* ensure(server.port, "busy", join(folder, "busy"), { service: "web", port })
          const kept = [{ allocation: { instance: "busy", port }, reason: "listening" }]
          const { json, status } = instances("gone")
          expect(yield* prune(server, { dry_run: true })).toMatchObject({ status, json: { ...json, kept } })
        })
      )
      expect(yield* prune(server)).toMatchObject(instances("gone", "busy"))
    })
  )

  it.scopedLive("leaves alone a folder that cannot be probed", () =>
    Effect.gen(function* () {
      const { folder, server } = yield* projects
      const loop = join(folder, "loop")
      yield* ensure(server.port, "loop", loop)
      symlinkSync(loop, loop)
      const kept = [{ allocation: { path: loop }, reason: "unknown" }]
      expect((yield* prune(server)).json).toMatchObject({ allocations: [{ instance: "gone" }], kept })
    })
  )

  it.scopedLive("knows the device of a folder that could not be probed at first", () =>
    Effect.gen(function* () {
      const { folder, server } = yield* projects
      const path = join(folder, "late")
      symlinkSync(path, path)
      yield* ensure(server.port, "late", path)
      rmSync(path)
      mkdirSync(path)
      const device = readDatabase(
        server.database,
        "SELECT device FROM folders JOIN allocations ON id = allocation WHERE instance = 'late'"
      )
      expect(yield* device).toEqual([{ device: null }])
      yield* Effect.repeat(Effect.zipRight(ensure(server.port, "late", path), device), {
        until: ([row]) => Object(row).device !== null
      })
    })
  )

  it.scopedLive("of a folder whose device is not known, releases nothing where its disk may not be mounted", () =>
    Effect.gen(function* () {
      const { folder, server } = yield* projects
      mkdirSync(join(folder, "disk"))
      yield* ensure(server.port, "away", join(folder, "disk/away"))
      yield* execute(server.database, "UPDATE folders SET device = NULL")
      const kept = [{ allocation: { instance: "away" }, reason: "not_mounted" }]
      expect((yield* prune(server)).json).toMatchObject({ allocations: [{ instance: "gone" }], kept })
    })
  )

  it.scopedLive("releases 20,000 allocations, and takes the ids of as many", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const folder = yield* temporaryFolder
      mkdirSync(join(folder, "kept"))
      const numbers = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)"
      yield* execute(
        server.database,
        `INSERT INTO allocations (id, app, instance, service, port)
          ${numbers} SELECT 100 + n, 'shop', n, 'web', 20000 + n FROM n`,
        `INSERT INTO folders (allocation, path) ${numbers} SELECT 100 + n, '${folder}/gone-' || n FROM n`
      )
      const ids = Array.from({ length: 20_000 }, (_, index) => index + 101)
      let told = 0
      // A busy machine may have no time to look at all the folders of one request, and at none for a while after that.
      for (let left: ReadonlyArray<number> = ids; ; ) {
        const dry = idsOf((yield* prune(server, { ids: left, dry_run: true })).json)
        expect([...dry.allocations, ...dry.kept].sort((one, other) => one - other)).toEqual(left)
        told += dry.allocations.length
        expect(yield* remaining(server)).toEqual(left)
        const { json, status } = yield* prune(server, { ids: left })
        expect(status).toBe(200)
        const { allocations, kept } = idsOf(json)
        expect([...allocations, ...kept].sort((one, other) => one - other)).toEqual(left)
        left = kept
        expect(yield* remaining(server)).toEqual(left)
        // On some of so many ports something may listen.
        if (left.length < 1_000) break
      }
      expect(told).toBeGreaterThan(0)
    })
  )

  it.scopedLive("with ids, releases those of them that are stale and no other", () =>
    Effect.gen(function* () {
      const { folder, server } = yield* projects
      yield* ensure(server.port, "lost", join(folder, "lost"))
      expect(yield* prune(server, { ids: [1, 3, 99] })).toMatchObject(instances("lost"))
      expect(yield* prune(server, { ids: [] })).toEqual({ status: 200, json: { allocations: [] } })
      expect(yield* left(server)).toMatchObject([{ instance: "kept" }, { instance: "gone" }])
    })
  )

  it.scopedLive("does not release what is ensured again in a folder that was made anew", () =>
    Effect.gen(function* () {
      const { folder, server } = yield* projects
      mkdirSync(join(folder, "gone"))
      yield* Effect.all([prune(server), ensure(server.port, "gone", join(folder, "gone"))], { concurrency: 2 })
      expect(yield* left(server)).toHaveLength(2)
    })
  )

  for (const [body, sentence] of [
    [{ ids: [0] }, "ids.0: invalid id"],
    [{ ids: 1 }, "ids must be a list of ids"],
    [{ dry_run: 1 }, "dry_run must be true or false"],
    [{ dryrun: true }, 'unknown field "dryrun"']
  ] as const) {
    it.scopedLive(`refuses ${JSON.stringify(body)}, and releases nothing`, () =>
      Effect.gen(function* () {
        const { server } = yield* projects
        expectError(yield* call(server.port, "POST", "/v1/prune", body), 400, sentence)
        expect(yield* left(server)).toHaveLength(2)
      })
    )
  }
})
