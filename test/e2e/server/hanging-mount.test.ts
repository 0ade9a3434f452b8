import { constants, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { isAlive, pidAt, user } from "../../support/Daemon.ts"
import { realFolder } from "../../support/Git.ts"
import { freePorts, startServerOnFreePorts } from "../../support/Listening.ts"
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
        const server = yield* startServerOnFreePorts(1)
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
      writeFileSync(node, "no program")
      yield* ensure(server, "one", join(folder, "gone"))
      const kept = [{ allocation: { instance: "one" }, reason: "unknown" }]
      expect((yield* prune(server)).json).toMatchObject({ allocations: [], kept })
      expect(yield* ensure(server, "one", folderIn(folder, "other"))).toMatchObject({ status: 409 })
    })
  )
})

/** Whether the main thread waits for a FUSE file system. */
const isWaiting = (pid: number) => readFileSync(`/proc/${pid}/wchan`, "utf8") === "request_wait_answer"

/** Whether a process has ended, or was killed and waits for the system, which may itself wait for a file system. */
const isEnding = (pid: number) =>
  !isAlive(pid) || /^ShdPnd:.*[13579bdf]..$/m.test(readFileSync(`/proc/${pid}/status`, "latin1"))

const threadsOf = (pid: number) => readdirSync(`/proc/${pid}/task`).length

describe.skipIf(!canMount)("a database on a mount that hangs", { concurrent: true }, () => {
  it.scopedLive("does not keep portctl stop from killing the server, and costs nothing acknowledged", () =>
    Effect.gen(function* () {
      const disk = yield* mount
      const me = yield* user
      yield* me.portctl(`start --db ${join(disk.folder, "ports.db")}`)
      yield* me.portctl("allocate --app a --instance b --service c")
      const pid = yield* pidAt(me.port)
      yield* disk.hang
      yield* Effect.fork(me.portctl("allocate --app a --instance b --service d"))
      yield* until(() => isWaiting(pid))
      const stopped = yield* me.portctl("stop")
      // The kernel itself may have to wait for an answer of the file system before the process can end.
      const waits = `error: port-server (pid ${pid}) was killed and does not end: the system waits for a file system that hangs\n`
      expect([`stopped port-server (pid ${pid})\n`, waits]).toContain(`${stopped.stdout}${stopped.stderr}`)
      yield* disk.resume
      yield* until(() => !isAlive(pid))
      yield* me.portctl("start")
      expect((yield* me.portctl("list")).stdout).toMatch(/ a +b +c +/)
    })
  )

  it.scopedLive("does not keep a server elsewhere, whose database has the same name, from starting", () =>
    Effect.gen(function* () {
      const disk = yield* mount
      const there = yield* startServer({ folder: disk.folder })
      const folder = yield* realFolder
      const here = yield* startServer({ folder })
      here.process.kill("SIGKILL")
      yield* here.ended
      yield* disk.hang
      yield* startServer({ folder })
      yield* disk.resume
      expect(isAlive(there.pid)).toBe(true)
    })
  )

  for (const [when, hangsFirst] of [
    ["before the signal", true],
    ["while it stops", false]
  ] as const) {
    it.scopedLive(`that begins to hang ${when}, ends the server all the same`, () =>
      Effect.gen(function* () {
        const disk = yield* mount
        const server = yield* startServer({ folder: disk.folder })
        const allocate = (service: string) =>
          call(server.port, "POST", "/v1/allocations", { app: "a", instance: "b", service })
        expect(yield* allocate("c")).toMatchObject({ status: 201 })
        yield* disk.hang
        if (hangsFirst) {
          yield* Effect.fork(allocate("d"))
          yield* until(() => isWaiting(server.pid))
        }
        server.process.kill("SIGTERM")
        yield* until(() => isEnding(server.pid))
        yield* disk.resume
        expect(yield* server.ended).toMatchObject({ signal: "SIGKILL" })
        const again = yield* startServer({ folder: disk.folder })
        const { json } = yield* call(again.port, "GET", "/v1/allocations")
        expect(json).toEqual(expect.arrayContaining([expect.objectContaining({ service: "c" })]))
      })
    )
  }

  it.scopedLive("stops in order while it does not hang; on a disk of this machine there is no thread for that", () =>
    Effect.gen(function* () {
      const disk = yield* mount
      const own = yield* startServer()
      const server = yield* startServer({ folder: disk.folder })
      yield* until(() => threadsOf(server.pid) === threadsOf(own.pid) + 1)
      server.process.kill("SIGTERM")
      expect(yield* server.ended).toMatchObject({ code: 0, signal: null, stderr: "" })
    })
  )
})
