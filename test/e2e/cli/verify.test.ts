import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectClean, expectError } from "../../support/Expectations.ts"
import { realFolder, repository, submodule, worktree } from "../../support/Git.ts"
import { freePorts, hasIpv6, listeningProgram } from "../../support/Listening.ts"
import { bin, type PortServer, portctl, start, startServer } from "../../support/Programs.ts"
import { onTerminal } from "../../support/Terminals.ts"

/** A repository called shop with the services web and db, their free ports, and a linked worktree. */
const shop = Effect.gen(function* () {
  const server = yield* startServer()
  const project = repository(join(yield* realFolder, "shop"))
  const web = yield* freePorts(2)
  writeFileSync(
    join(project, "portctl.json"),
    JSON.stringify({ services: { web: { prefer: web }, db: { prefer: web + 1 } } })
  )
  return { server, project, linked: worktree(project, `${project}-feature`), web, db: web + 1 }
})

const ensure = (server: PortServer, cwd: string, ...args: ReadonlyArray<string>) =>
  Effect.map(portctl(["ensure", ...args], { server, cwd }), (ended) => expect(ended).toMatchObject({ code: 0 }))

const verify = (server: PortServer, cwd: string, ...args: ReadonlyArray<string>) =>
  Effect.map(portctl(["verify", ...args], { server, cwd }), (ended) => {
    expect(ended.stderr).toBe("")
    expectClean(ended)
    return ended
  })

/** The word for each service, by `portctl verify --json`. */
const states = (server: PortServer, cwd: string, ...args: ReadonlyArray<string>) =>
  Effect.map(verify(server, cwd, "--json", ...args), ({ code, stdout }) => {
    const services: ReadonlyArray<{ readonly state: string }> = JSON.parse(stdout)
    return [code, ...services.map(({ state }) => state)]
  })

/** A program that listens at ::1. */
const listeningAtIpv6 = (cwd: string, port: number) =>
  Effect.gen(function* () {
    const script = `require("node:net").createServer().listen(${port}, "::1", () => console.log("listens"))`
    const program = yield* start(process.execPath, ["-e", script], { cwd })
    yield* program.printed(/listens/)
    return program
  })

describe("portctl verify", { concurrent: true }, () => {
  it.scopedLive("tells of each service whether this working copy's processes are on its port", () =>
    Effect.gen(function* () {
      const { db, linked, project, server, web } = yield* shop
      expect(yield* states(server, project)).toEqual([0, "idle", "idle"])
      expect(yield* verify(server, project)).toMatchObject({
        stdout: "SERVICE  PORT  STATE  PROCESS\nweb      -     idle   -\ndb       -     idle   -\n"
      })
      yield* ensure(server, project)
      yield* ensure(server, linked, "--service", "web")
      const own = yield* listeningProgram({ cwd: join(project), port: web })
      expect(yield* states(server, project)).toEqual([0, "own", "idle"])
      expect(yield* states(server, project, "--listening")).toEqual([4, "own", "idle"])
      expect(yield* states(server, project, "--listening", "--service", "web")).toEqual([0, "own"])
      const foreign = yield* listeningProgram({ cwd: linked, port: db })
      expect(yield* states(server, project, "--listening")).toEqual([3, "own", "foreign"])
      expect(yield* verify(server, project)).toMatchObject({
        code: 3,
        stdout: [
          "SERVICE  PORT   STATE    PROCESS",
          `web      ${web}  own      node (pid ${own.pid}) listening tcp 127.0.0.1`,
          `db       ${db}  foreign  node (pid ${foreign.pid}) listening tcp 127.0.0.1, belongs to shop/shop-feature (${linked})`,
          ""
        ].join("\n")
      })
      const json = yield* verify(server, project, "--json", "--service", "db")
      expect(JSON.parse(json.stdout)).toEqual([
        {
          service: "db",
          port: db,
          state: "foreign",
          listeners: [
            expect.objectContaining({
              protocol: "tcp",
              address: "127.0.0.1",
              state: "listening",
              pid: foreign.pid,
              cwd: linked,
              belongs: "no",
              project: { app: "shop", instance: "shop-feature", folder: linked }
            })
          ]
        }
      ])
      const { stdout } = yield* portctl(["why", "--port", String(db)], { server })
      expect(stdout).toContain(`  folder:   ${linked}\n  project:  shop/shop-feature (${linked})\n`)
    })
  )

  it.scopedLive("changes nothing: a fresh working copy still has no ports", () =>
    Effect.gen(function* () {
      const { linked, server } = yield* shop
      yield* verify(server, linked)
      expect((yield* portctl(["list", "--json"], { server })).stdout).toBe("[]\n")
    })
  )

  it.scopedLive("refuses a service that is not there", () =>
    Effect.gen(function* () {
      const { project, server } = yield* shop
      const ended = yield* portctl(["verify", "--service", "wbe"], { server, cwd: project })
      expectError(ended, "shop/main has no service wbe, only web, db")
    })
  )

  it.scopedLive.skipIf(!hasIpv6)("is foreign while one of two processes is, at whichever address", () =>
    Effect.gen(function* () {
      const { linked, project, server, web } = yield* shop
      yield* ensure(server, project)
      yield* listeningProgram({ cwd: project, port: web })
      yield* listeningAtIpv6(project, web)
      expect(yield* states(server, project, "--service", "web")).toEqual([0, "own"])
      yield* listeningProgram({ cwd: project, port: web + 1 })
      yield* listeningAtIpv6(linked, web + 1)
      expect(yield* states(server, project, "--service", "db")).toEqual([3, "foreign"])
      // The foreign one is named first, and whose it is stays on a narrow terminal.
      const { stdout } = yield* onTerminal([bin.portctl, "verify", "--service", "db"], {
        cwd: project,
        env: { PORT_SERVER_ADDR: server.address, NO_COLOR: "1" }
      })
      expect(stdout).toMatch(/ foreign +node \(pid \d+\) listening tcp ::1, runs in .*; node .* tcp 127\.0\.0\.1$/m)
    })
  )

  it.scopedLive("takes a worktree inside the checkout for another working copy, also one that never asked", () =>
    Effect.gen(function* () {
      const { project, server, web } = yield* shop
      yield* ensure(server, project)
      mkdirSync(join(project, ".claude/worktrees"), { recursive: true })
      const agent = worktree(project, join(project, ".claude/worktrees/agent-1"))
      const { pid } = yield* listeningProgram({ cwd: agent, port: web })
      const { code, stdout } = yield* verify(server, project, "--service", "web")
      expect(code).toBe(3)
      expect(stdout).toContain(` foreign  node (pid ${pid}) listening tcp 127.0.0.1, runs in ${agent}\n`)
      yield* ensure(server, agent, "--service", "api")
      expect((yield* verify(server, project, "--service", "web")).stdout).toContain(
        ` foreign  node (pid ${pid}) listening tcp 127.0.0.1, belongs to shop/agent-1 (${agent})\n`
      )
    })
  )

  it.scopedLive("takes a submodule for a part of its superproject", () =>
    Effect.gen(function* () {
      const { project, server, web } = yield* shop
      submodule(project, repository(`${project}-library`), "library")
      yield* ensure(server, project)
      yield* listeningProgram({ cwd: join(project, "library"), port: web })
      expect(yield* states(server, project, "--service", "web")).toEqual([0, "own"])
    })
  )

  it.scopedLive("does not take a process whose folder was removed for its own", () =>
    Effect.gen(function* () {
      const { project, server, web } = yield* shop
      yield* ensure(server, project)
      mkdirSync(join(project, "old"))
      yield* listeningProgram({ cwd: join(project, "old"), port: web })
      expect(yield* states(server, project, "--service", "web")).toEqual([0, "own"])
      rmSync(join(project, "old"), { recursive: true })
      expect(yield* states(server, project, "--service", "web")).toEqual([3, "foreign"])
    })
  )

  it.scopedLive("goes by the working copy that asks, also where two share an instance", () =>
    Effect.gen(function* () {
      const { linked, project, server, web } = yield* shop
      yield* ensure(server, project)
      yield* ensure(server, linked, "--instance", "main")
      yield* listeningProgram({ cwd: linked, port: web })
      expect(yield* states(server, linked, "--service", "web")).toEqual([0, "own"])
      expect(yield* states(server, project, "--service", "web")).toEqual([3, "foreign"])
    })
  )

  const ownMounts = spawnSync("unshare", ["--mount", "true"]).status === 0
  it.scopedLive.skipIf(!ownMounts)("does not know whose a process of another mount namespace is", () =>
    Effect.gen(function* () {
      const { project, server, web } = yield* shop
      yield* ensure(server, project)
      const script = `require("node:net").createServer().listen(${web}, "127.0.0.1", () => console.log("listens"))`
      const program = yield* start("unshare", ["--mount", process.execPath, "-e", script], { cwd: project })
      yield* program.printed(/listens/)
      expect(yield* states(server, project, "--listening", "--service", "web")).toEqual([0, "unknown"])
    })
  )
})
