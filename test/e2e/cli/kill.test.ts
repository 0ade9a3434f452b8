import { spawnSync } from "node:child_process"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectError, expectUsageError } from "../../support/Expectations.ts"
import { noFaultInjection } from "../../support/FaultInjection.ts"
import { realFolder, repository, submodule, worktree } from "../../support/Git.ts"
import { freePorts, hasIpv6, listeningProgram } from "../../support/Listening.ts"
import { canMount } from "../../support/Mount.ts"
import {
  bin,
  type Ended,
  type PortServer,
  portctl,
  start,
  startServer,
  temporaryFolder
} from "../../support/Programs.ts"

/** A test that needs something that this machine may lack. */
const needs = (missing: string | undefined) => (missing === undefined ? it.scopedLive : it.scopedLive.skip)

/** A repository called shop with a port for web, and a linked worktree. */
const shop = Effect.gen(function* () {
  const server = yield* startServer()
  const project = repository(join(yield* realFolder, "shop"))
  const port = yield* freePorts(1)
  yield* portctl(["ensure", "--service", `web=${port}`], { server, cwd: project })
  return { server, project, linked: worktree(project, `${project}-feature`), port }
})

const kill = (server: PortServer, cwd: string, ...args: ReadonlyArray<string>) =>
  portctl(["kill", ...args], { server, cwd })

/** The process was left alone, for this reason. */
const expectKept = (ended: Ended, pid: number | string, port: number, reason: string) => {
  expect(ended).toMatchObject({ code: 3, stdout: "" })
  expect(ended.stderr).toMatch(
    new RegExp(`^error: \\S+ \\(pid ${pid}\\) is listening on port ${port} and ${reason}; it is not ended\\n$`)
  )
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** A program that listens, and then runs its further arguments and prints how they ended. */
const listenScript = (port: number, host = "127.0.0.1") => `
  require("node:net").createServer().listen(${port}, "${host}", () => {
    console.log("listens")
    const [file, ...args] = process.argv.slice(1)
    if (file === undefined) return
    const ended = require("node:child_process").spawnSync(file, args, { encoding: "utf8" })
    console.log(JSON.stringify({ code: ended.status, signal: null, stdout: ended.stdout, stderr: ended.stderr }))
    process.exit()
  });`

/** How the further arguments of such a program ended. */
const endedInside = (stdout: string): Ended => JSON.parse(/^\{.*$/m.exec(stdout)?.[0] ?? "{}")

describe("portctl kill", { concurrent: true }, () => {
  it.scopedLive("ends the process of this working copy on a service's port", () =>
    Effect.gen(function* () {
      const { port, project, server } = yield* shop
      const program = yield* listeningProgram({ cwd: project, port })
      expectAnswer(
        yield* kill(server, project, "--service", "web"),
        `ended node (pid ${program.pid}) on port ${port}\n`
      )
      expect(yield* program.ended).toMatchObject({ signal: "SIGTERM" })
      expectAnswer(yield* kill(server, project, "--service", "web"), `nothing is listening on port ${port}\n`)
    })
  )

  const canUnshare = spawnSync("unshare", ["--pid", "--fork", "true"]).status === 0
  needs(canUnshare ? undefined : "it needs root and unshare")(
    "ends nothing where a signal does not reach the processes in /proc",
    () =>
      Effect.gen(function* () {
        const { port, project, server } = yield* shop
        const program = yield* listeningProgram({ cwd: project, port })
        const inside = yield* start("unshare", ["--pid", "--fork", bin.portctl, "kill", "--service", "web"], {
          cwd: project,
          env: { PORT_SERVER_ADDR: server.address }
        })
        const reason = "cannot be found on this machine"
        expect(yield* inside.ended).toMatchObject({
          code: 3,
          stderr: `error: node (pid ${program.pid}) is listening on port ${port} and ${reason}; it is not ended\n`
        })
        expect(isAlive(program.pid)).toBe(true)
      })
  )

  it.scopedLive("ends the processes on all ports of a block", () =>
    Effect.gen(function* () {
      const { project, server } = yield* shop
      const first = yield* freePorts(3)
      const [second, third] = [first + 1, first + 2]
      writeFileSync(join(project, "portctl.json"), '{"services":{"jobs":{"size":3}}}')
      yield* portctl(["ensure", "--service", `jobs=${first}`], { server, cwd: project })
      expectAnswer(
        yield* kill(server, project, "--service", "jobs"),
        `nothing is listening on ports ${first}-${third}\n`
      )
      const one = yield* listeningProgram({ cwd: project, port: second })
      const other = yield* listeningProgram({ cwd: project, port: third })
      expectAnswer(
        yield* kill(server, project, "--service", "jobs"),
        `ended node (pid ${one.pid}) on port ${second}\nended node (pid ${other.pid}) on port ${third}\n`
      )
      const again = yield* listeningProgram({ cwd: project, port: third })
      const { stdout: json } = yield* kill(server, project, "--service", "jobs", "--json")
      expect(JSON.parse(json)).toEqual({
        port: first,
        ports: [first, second, third],
        ended: [{ pid: again.pid, command: "node", signal: "SIGTERM" }],
        kept: []
      })
    })
  )

  needs(noFaultInjection)("tells what it has ended also where the system refuses a signal to another one", () =>
    Effect.gen(function* () {
      const { project, server } = yield* shop
      const first = yield* freePorts(2)
      writeFileSync(join(project, "portctl.json"), '{"services":{"jobs":{"size":2}}}')
      yield* portctl(["ensure", "--service", `jobs=${first}`], { server, cwd: project })
      const one = yield* listeningProgram({ cwd: project, port: first })
      const other = yield* listeningProgram({ cwd: project, port: first + 1 })
      const refused = ["-D", "-f", "-qq", "-o", "/dev/null", "-e", "inject=kill:error=EPERM:when=2+"]
      const running = yield* start("strace", [...refused, bin.portctl, "kill", "--service", "jobs"], {
        cwd: project,
        env: { PORT_SERVER_ADDR: server.address }
      })
      expect(yield* running.ended).toEqual({
        code: 3,
        signal: null,
        stdout: `ended node (pid ${one.pid}) on port ${first}\n`,
        stderr: `error: node (pid ${other.pid}) is listening on port ${first + 1} and takes no signal of yours (EPERM); it is not ended\n`
      })
    })
  )

  it.scopedLive("sends no SIGKILL to a process that has gone to another folder meanwhile", () =>
    Effect.gen(function* () {
      const { linked, port, project, server } = yield* shop
      const file = join(project, "leaves.cjs")
      writeFileSync(
        file,
        `process.on("SIGTERM", () => process.chdir(${JSON.stringify(linked)}))
        require("node:net").createServer().listen(${port}, "127.0.0.1", () => console.log("listens"))`
      )
      const program = yield* start(process.execPath, [file], { cwd: project })
      yield* program.printed(/listens/)
      expectKept(yield* kill(server, project, "--service", "web"), program.pid, port, `runs in ${linked}`)
      expect(isAlive(program.pid)).toBe(true)
    })
  )

  it.scopedLive.skipIf(!canMount)("leaves the process of a folder alone that another one is mounted over", () =>
    Effect.gen(function* () {
      const { port, project, server } = yield* shop
      const { pid } = yield* listeningProgram({ cwd: project, port })
      spawnSync("mount", ["--bind", repository(join(yield* realFolder, "shop")), project])
      yield* Effect.addFinalizer(() => Effect.sync(() => spawnSync("umount", ["--lazy", project])))
      expectKept(yield* kill(server, project, "--port", String(port)), pid, port, "cannot be found on this machine")
      expect(isAlive(pid)).toBe(true)
    })
  )

  it.scopedLive("ends it on a port by its number, whoever holds that", () =>
    Effect.gen(function* () {
      const { project, server } = yield* shop
      const program = yield* listeningProgram({ cwd: project })
      const { stdout } = yield* kill(server, project, "--port", String(program.port), "--json")
      const ended = [{ pid: program.pid, command: "node", signal: "SIGTERM" }]
      expect(JSON.parse(stdout)).toEqual({ port: program.port, ended, kept: [] })
      expect(yield* program.ended).toMatchObject({ signal: "SIGTERM" })
    })
  )

  it.scopedLive("ends a process that does not end on SIGTERM with SIGKILL", () =>
    Effect.gen(function* () {
      const { port, project, server } = yield* shop
      const script = `${listenScript(port)} process.on("SIGTERM", () => console.log("ignored"))`
      const program = yield* start(process.execPath, ["-e", script], { cwd: project })
      yield* program.printed(/listens/)
      expectAnswer(
        yield* kill(server, project, "--service", "web"),
        `ended node (pid ${program.pid}) on port ${port} with SIGKILL, for it did not end on SIGTERM\n`
      )
      expect(yield* program.ended).toMatchObject({ signal: "SIGKILL", stdout: "listens\nignored\n" })
    })
  )

  it.scopedLive("leaves another working copy's process alone, and names that", () =>
    Effect.gen(function* () {
      const { linked, port, project, server } = yield* shop
      const program = yield* listeningProgram({ cwd: linked, port })
      expectKept(yield* kill(server, project, "--service", "web"), program.pid, port, `runs in ${linked}`)
      yield* portctl(["ensure"], { server, cwd: linked })
      const owner = `belongs to shop/shop-feature \\(${linked}\\)`
      expectKept(yield* kill(server, project, "--port", String(port)), program.pid, port, owner)
      const { code, stdout } = yield* kill(server, project, "--port", String(port), "--json")
      expect(code).toBe(3)
      expect(JSON.parse(stdout)).toMatchObject({
        error: expect.stringContaining("it is not ended"),
        port,
        ended: [],
        kept: [{ pid: program.pid, project: { app: "shop", instance: "shop-feature", folder: linked } }]
      })
      expect(isAlive(program.pid)).toBe(true)
    })
  )

  for (const [place, make] of [
    ["a repository", repository],
    ["a folder outside git", (folder: string) => folder],
    [
      "a repository of which it is a submodule",
      (folder: string) => {
        const top = repository(folder)
        submodule(top, repository(`${folder}-api`), "packages/api")
        return top
      }
    ]
  ] as const) {
    it.scopedLive(`leaves the process of a project below alone that never asked for a port, in ${place}`, () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const port = yield* freePorts(1)
        const project = make(join(yield* realFolder, "shop"))
        const package_ = join(project, "packages/api")
        mkdirSync(package_, { recursive: true })
        writeFileSync(join(package_, "portctl.json"), '{ "services": { "api": {} } }')
        const program = yield* listeningProgram({ cwd: package_, port })
        expectKept(yield* kill(server, project, "--port", String(port)), program.pid, port, `runs in ${package_}`)
        expectAnswer(
          yield* kill(server, package_, "--port", String(port)),
          `ended node (pid ${program.pid}) on port ${port}\n`
        )
      })
    )
  }

  it.scopedLive("ends nothing in /, where all daemons are", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const port = yield* freePorts(1)
      const env = { PORT_SERVER_ADDR: server.address, PORTCTL_APP: "everything" }
      for (const cwd of ["/", yield* realFolder]) {
        const program = yield* listeningProgram({ cwd, port })
        const ended = yield* portctl(["kill", "--port", String(port)], { cwd: "/", env })
        expectKept(ended, program.pid, port, `runs in ${cwd}`)
        process.kill(program.pid, "SIGKILL")
        yield* program.ended
      }
    })
  )

  it.scopedLive.skipIf(!hasIpv6)("ends its own of two processes on a port, and exits with 3 for the other", () =>
    Effect.gen(function* () {
      const { linked, port, project, server } = yield* shop
      const own = yield* listeningProgram({ cwd: project, port })
      const other = yield* start(process.execPath, ["-e", listenScript(port, "::1")], { cwd: linked })
      yield* other.printed(/listens/)
      const ended = yield* kill(server, project, "--service", "web")
      expect(ended).toMatchObject({ code: 3, stdout: `ended node (pid ${own.pid}) on port ${port}\n` })
      expectKept({ ...ended, stdout: "" }, other.pid, port, `runs in ${linked}`)
      expect(yield* own.ended).toMatchObject({ signal: "SIGTERM" })
      expect(isAlive(other.pid)).toBe(true)
    })
  )

  it.scopedLive("never ends a process that it was started from", () =>
    Effect.gen(function* () {
      const { port, project, server } = yield* shop
      const args = ["-e", listenScript(port), bin.portctl, "kill", "--service", "web"]
      const env = { PORT_SERVER_ADDR: server.address }
      const program = yield* start(process.execPath, args, { cwd: project, env })
      const { stdout } = yield* program.ended
      expectKept(endedInside(stdout), program.pid, port, "is what this portctl was started from")
    })
  )

  it.scopedLive("never ends what listens for a container", () =>
    Effect.gen(function* () {
      const { port, project, server } = yield* shop
      const file = join(yield* temporaryFolder, "docker-proxy")
      symlinkSync(process.execPath, file)
      const program = yield* listeningProgram({ cwd: project, file, port })
      expectKept(yield* kill(server, project, "--service", "web"), program.pid, port, "listens for a container")
      expect(isAlive(program.pid)).toBe(true)
    })
  )

  it.scopedLive("never ends the port-server", () =>
    Effect.gen(function* () {
      const project = repository(join(yield* realFolder, "shop"))
      const port = yield* freePorts(1)
      const home = yield* temporaryFolder
      const server = yield* start(bin.portServer, ["--port", String(port), "--db", join(home, "ports.db")], {
        cwd: project,
        env: { HOME: home }
      })
      yield* server.printed(/listening on/)
      const env = { PORT_SERVER_ADDR: `127.0.0.1:${port}` }
      const ended = yield* portctl(["kill", "--port", String(port)], { cwd: project, env })
      expectKept(ended, "\\d+", port, "is port-server itself: portctl stop stops it")
      expect(yield* portctl(["health"], { env })).toMatchObject({ code: 0 })
    })
  )

  const isRoot = process.getuid?.() === 0 && spawnSync("setpriv", ["--version"]).status === 0
  it.scopedLive.skipIf(!isRoot)("never ends another user's process, also as root", () =>
    Effect.gen(function* () {
      const { port, project, server } = yield* shop
      const args = ["--reuid=65534", "--clear-groups", process.execPath, "-e", listenScript(port)]
      const program = yield* start("setpriv", args, { cwd: project })
      yield* program.printed(/listens/)
      const ended = yield* kill(server, project, "--service", "web")
      expectKept(ended, program.pid, port, "belongs to the user \\S+")
      expect(isAlive(program.pid)).toBe(true)
    })
  )

  const ownPids = spawnSync("unshare", ["--pid", "--fork", "--mount-proc", "true"]).status === 0
  it.scopedLive.skipIf(!ownPids)("never ends the first process", () =>
    Effect.gen(function* () {
      const project = repository(join(yield* realFolder, "shop"))
      const [port, address] = [yield* freePorts(1), `127.0.0.1:${yield* freePorts(1)}`]
      const node = [process.execPath, "-e", listenScript(port)]
      const args = ["--pid", "--fork", "--mount-proc", ...node, bin.portctl, "kill", "--port", String(port)]
      const env = { PORT_SERVER_ADDR: address, HOME: yield* temporaryFolder }
      // The server that portctl starts ends with the first process.
      const { stdout } = yield* (yield* start("unshare", args, { cwd: project, env })).ended
      const ended = endedInside(stdout)
      const stderr = ended.stderr.replace(/^started port-server .*\n/, "")
      expectKept({ ...ended, stderr }, 1, port, "is the first process of the system")
    })
  )

  it.scopedLive("wants either a service or a port, and a service that has one", () =>
    Effect.gen(function* () {
      const { project, server } = yield* shop
      expectUsageError(yield* kill(server, project), /either --service or --port is required$/, "portctl kill")
      const both = yield* kill(server, project, "--service", "web", "--port", "3000")
      expectUsageError(both, /--service and --port exclude each other$/, "portctl kill")
      expectError(yield* kill(server, project, "--service", "db"), "shop/main has no service db, only web")
    })
  )
})
