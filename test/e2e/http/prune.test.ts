import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, expectError } from "../../support/Api.ts"
import { startServerOnFreePorts } from "../../support/Listening.ts"
import { type PortServer, temporaryFolder } from "../../support/Programs.ts"
import { listener } from "../../support/Sockets.ts"
import { call } from "../../support/Wire.ts"

const ensure = (port: number, instance: string, folder: string, service: object = { service: "web" }) =>
  call(port, "POST", "/v1/ensure", { app: "shop", instance, path: folder, services: [service] })

const prune = (server: PortServer, body: object = {}) =>
  Effect.map(call(server.port, "POST", "/v1/prune", body), ({ json, status }) => ({ status, json }))

const instances = (...names: ReadonlyArray<string>) => ({
  status: 200,
  json: { allocations: names.map((instance) => ({ app: "shop", instance })) }
})

const left = (server: PortServer) => Effect.map(call(server.port, "GET", "/v1/allocations"), ({ json }) => json)

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
      yield* ensure(server.port, "away", "/nowhere/disk/shop")
      expect(yield* prune(server)).toMatchObject(instances("gone"))
      expect(yield* left(server)).toMatchObject([{ instance: "kept" }, { instance: "away" }])
    })
  )

  it.scopedLive("leaves alone a port that something listens on, until it does no more", () =>
    Effect.gen(function* () {
      const { folder, server } = yield* projects
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { port } = yield* listener()
          yield* ensure(server.port, "busy", join(folder, "busy"), { service: "web", port })
          expect(yield* prune(server, { dry_run: true })).toMatchObject(instances("gone"))
        })
      )
      expect(yield* prune(server)).toMatchObject(instances("gone", "busy"))
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
