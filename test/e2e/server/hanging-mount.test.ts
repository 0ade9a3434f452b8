import { constants, copyFileSync, mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { isAlive } from "../../support/Daemon.ts"
import { realFolder } from "../../support/Git.ts"
import { freePorts } from "../../support/Listening.ts"
import { canMount, mount } from "../../support/Mount.ts"
import { childrenOf, until } from "../../support/Processes.ts"
import { bin, type PortServer, portctl, start, startServer } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

const ensure = ({ port }: Pick<PortServer, "port">, instance: string, path: string, service = "web") =>
  call(port, "POST", "/v1/ensure", { app: "shop", instance, path, services: [{ service }] })

const prune = ({ port }: Pick<PortServer, "port">, body: object = {}) => call(port, "POST", "/v1/prune", body)

const folderIn = (folder: string, name: string) => {
  const path = join(folder, name)
  mkdirSync(path, { recursive: true })
  return path
}

/** A server that reads what listens, with projects on a file system that can be made to hang. */
const projects = Effect.gen(function* () {
  const first = yield* freePorts(20)
  const server = yield* startServer({ probe: true, args: ["--range", `${first}-${first + 19}`] })
  const disk = yield* mount
  const instances = ["one", "two", "three", "four"]
  const paths = instances.map((instance) => folderIn(disk.folder, instance))
  for (const [index, path] of paths.entries()) yield* ensure(server, instances[index] ?? "", path)
  return { server, disk, instances, paths, folder: yield* realFolder }
})

describe.skipIf(!canMount)("a project folder on a mount that hangs", { concurrent: true }, () => {
  it.scopedLive("holds up nothing that is not about it, and keeps its instance and its ports", () =>
    Effect.gen(function* () {
      const { disk, folder, instances, paths, server } = yield* projects
      yield* disk.hang
      const prunes = yield* Effect.fork(
        Effect.all([prune(server, { dry_run: true }), prune(server)], { concurrency: "unbounded" })
      )
      const ensures = yield* Effect.fork(
        Effect.forEach([...instances, ...instances], (instance) => ensure(server, instance, folder), {
          concurrency: "unbounded"
        })
      )
      // One that asks alone reads the sockets, which takes a thread of the server's own pool.
      for (let count = 0; count < 3; count++) {
        const body = { app: "other", instance: "main", service: `s${count}` }
        expect(yield* call(server.port, "POST", "/v1/allocations", body)).toMatchObject({ status: 201 })
      }
      expect(yield* ensure(server, "healthy", folderIn(folder, "healthy"))).toMatchObject({ status: 200 })
      expect(yield* call(server.port, "GET", "/v1/listeners")).toMatchObject({ status: 200 })
      for (const [index, refused] of (yield* Fiber.join(ensures)).entries()) {
        const instance = instances[index % 4]
        expect(refused).toMatchObject({ status: 409, json: { app: "shop", instance, folder: paths[index % 4] } })
      }
      for (const { json, status } of yield* Fiber.join(prunes)) {
        const kept = instances.map((instance) => ({ allocation: { instance }, reason: "unknown" }))
        expect({ status, json }).toMatchObject({ status: 200, json: { allocations: [], kept } })
      }
    })
  )

  it.scopedLive("holds up no project of many services elsewhere", () =>
    Effect.gen(function* () {
      const { disk, folder, paths, server } = yield* projects
      const services = Array.from({ length: 16 }, (_, index) => ({ service: `s${index}` }))
      const ensureMany = (instance: string, path: string) =>
        call(server.port, "POST", "/v1/ensure", { app: "many", instance, path, services })
      const elsewhere = folderIn(folder, "elsewhere")
      expect(yield* ensureMany("there", elsewhere)).toMatchObject({ status: 200 })
      yield* disk.hang
      const stuck = yield* Effect.fork(ensureMany("one", paths[0] ?? ""))
      yield* until(() => childrenOf(server.pid).length > 0)
      expect(yield* ensureMany("there", elsewhere)).toMatchObject({ status: 200 })
      expect(yield* Fiber.poll(stuck)).toEqual(Option.none())
    })
  )

  it.scopedLive("is not probed again for a while, and is not gone", () =>
    Effect.gen(function* () {
      const { disk, paths, server } = yield* projects
      yield* disk.hang
      yield* prune(server)
      yield* disk.resume
      for (const path of paths) rmSync(path, { recursive: true })
      expect(yield* portctl(["prune", "--yes"], { server })).toMatchObject({
        code: 0,
        stdout: "nothing is stale\n",
        stderr: `note: 4 allocation(s) belong to folders that could not be probed, like ${paths[0]}; they are kept: 1, 2, 3, 4\n`
      })
    })
  )

  it.scopedLive("does not hold up a stop", () =>
    Effect.gen(function* () {
      const { disk, folder, instances, server } = yield* projects
      yield* disk.hang
      const requests = Effect.forEach(instances, (instance) => ensure(server, instance, folder), {
        concurrency: "unbounded"
      })
      yield* Effect.fork(requests)
      yield* until(() => childrenOf(server.pid).length > 0)
      const children = childrenOf(server.pid)
      server.process.kill("SIGTERM")
      expect(yield* server.ended).toMatchObject({ code: 0, signal: null, stderr: "" })
      yield* until(() => !children.some(isAlive))
    })
  )
})

describe.skipIf(!canMount)("a project folder on a disk that is not mounted", { concurrent: true }, () => {
  it.scopedLive("is not gone: prune keeps its ports, and no other folder takes over its instance", () =>
    Effect.gen(function* () {
      const { disk, folder, paths, server } = yield* projects
      yield* disk.unmount
      const kept = paths.map((path) => ({ allocation: { path }, reason: "not_mounted" }))
      expect((yield* prune(server)).json).toMatchObject({ allocations: [], kept })
      expect(yield* ensure(server, "one", folder)).toMatchObject({ status: 409, json: { folder: paths[0] } })
      expect(yield* portctl(["prune", "--dry-run"], { server })).toMatchObject({
        stdout: "nothing is stale\n",
        stderr: `note: 4 allocation(s) belong to folders on a disk that seems not to be mounted, like ${paths[0]}; portctl release --id gives one back: 1, 2, 3, 4\n`
      })
    })
  )

  it.scopedLive("is gone when it was removed while the disk was mounted", () =>
    Effect.gen(function* () {
      const { paths, server } = yield* projects
      for (const path of paths) rmSync(path, { recursive: true })
      expect((yield* prune(server)).json).toMatchObject({ allocations: paths.map((path) => ({ path })) })
    })
  )
})

describe.skipIf(process.platform !== "linux")("the process that probes folders", { concurrent: true }, () => {
  it.scopedLive("is started by the first probe and by nothing else, and ends when it is idle", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const folder = yield* realFolder
      yield* call(server.port, "POST", "/v1/allocations", { app: "a", instance: "b", service: "c" })
      for (const path of ["/healthz", "/v1/allocations", "/v1/ports/3000", "/v1/server"]) {
        yield* call(server.port, "GET", path)
      }
      yield* call(server.port, "POST", "/v1/ensure", { app: "a", instance: "b", services: [{ service: "c" }] })
      yield* prune(server)
      expect(childrenOf(server.pid)).toEqual([])
      yield* ensure(server, "main", folder)
      expect(childrenOf(server.pid)).toHaveLength(1)
      yield* until(() => childrenOf(server.pid).length === 0)
      expect(yield* ensure(server, "main", folder)).toMatchObject({ status: 200 })
      expect(childrenOf(server.pid)).toEqual([])
    })
  )

  it.scopedLive("does not outlive the server, also when that is killed", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* ensure(server, "main", yield* realFolder)
      const children = childrenOf(server.pid)
      expect(children).toHaveLength(1)
      server.process.kill("SIGKILL")
      yield* until(() => !children.some(isAlive))
    })
  )

  for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
    it.scopedLive(`is replaced after ${signal}`, () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const folder = yield* realFolder
        const path = folderIn(folder, "one")
        yield* ensure(server, "one", path)
        for (const child of childrenOf(server.pid)) process.kill(child, signal)
        rmSync(path, { recursive: true })
        mkdirSync(join(folder, "other"))
        expect((yield* prune(server)).json).toMatchObject({ allocations: [{ path }] })
      })
    )
  }

  it.scopedLive("that cannot be started leaves every folder's ports and instance as they are", () =>
    Effect.gen(function* () {
      const folder = yield* realFolder
      const node = join(folder, "node")
      copyFileSync(process.execPath, node, constants.COPYFILE_FICLONE)
      const args = [`${bin.portServer}.cjs`, "--port", "0", "--db", join(folder, "ports.db")]
      const running = yield* start(node, args, { env: { HOME: folder } })
      const [, digits] = yield* running.printed(/listening on http:\/\/127\.0\.0\.1:(\d+), /)
      const server = { port: Number(digits) }
      rmSync(node)
      yield* ensure(server, "one", join(folder, "gone"))
      const kept = [{ allocation: { instance: "one" }, reason: "unknown" }]
      expect((yield* prune(server)).json).toMatchObject({ allocations: [], kept })
      expect(yield* ensure(server, "one", folderIn(folder, "other"))).toMatchObject({ status: 409 })
    })
  )
})
