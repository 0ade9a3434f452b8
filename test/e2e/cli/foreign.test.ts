import { spawnSync } from "node:child_process"
import { chownSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate } from "../../support/Api.ts"
import { expectAnswer } from "../../support/Expectations.ts"
import { realFolder, repository, worktree } from "../../support/Git.ts"
import { freePorts, hasIpv6, listeningProgram } from "../../support/Listening.ts"
import { bin, portctl, start, startServer, temporaryFolder } from "../../support/Programs.ts"

/** A repository called shop whose web prefers a port that is free at first. */
const shop = Effect.gen(function* () {
  const server = yield* startServer({ probe: true })
  const project = repository(join(yield* realFolder, "shop"))
  const port = yield* freePorts(1)
  writeFileSync(join(project, "portctl.json"), JSON.stringify({ services: { web: { prefer: port, env: "PORT" } } }))
  const run = (...args: ReadonlyArray<string>) => portctl(args, { server, cwd: project, env: { BROWSER: "true" } })
  return { server, project, port, run, linked: worktree(project, `${project}-feature`) }
})

describe("a port with another folder's process on it", { concurrent: true }, () => {
  it.scopedLive("is given out with one line of warning, also with --quiet and --json", () =>
    Effect.gen(function* () {
      const { linked, port, run, server } = yield* shop
      expectAnswer(yield* run("ensure"), `shop/main\nweb  ${port}\n`)
      const { pid } = yield* listeningProgram({ cwd: linked, port })
      const warning = (owner: string) => `warning: node (pid ${pid}) is listening on port ${port} (web) and ${owner}\n`
      expect(yield* run("ensure")).toEqual({
        code: 0,
        signal: null,
        stdout: `shop/main\nweb  ${port}\n`,
        stderr: warning(`runs in ${linked}`)
      })
      yield* portctl(["ensure", "--service", "api"], { server, cwd: linked })
      const stderr = warning(`belongs to shop/shop-feature (${linked})`)
      const answers = [
        [["ensure", "--quiet"], `${port}\n`],
        [["get", "web"], `${port}\n`],
        [["env"], `# shop/main\nPORT=${port}\n`],
        [["run", "--quiet", "--no-watch", "--", "sh", "-c", "echo $PORT"], `${port}\n`],
        [["open"], `opened http://localhost:${port} (shop/main web)\n`]
      ] as const
      for (const [args, stdout] of answers) {
        expect(yield* run(...args)).toEqual({ code: 0, signal: null, stdout, stderr })
      }
      expect(yield* run("ensure", "--json")).toMatchObject({ code: 0, stderr })
    })
  )

  it.scopedLive("is warned of with three of many workers, and how many more there are", () =>
    Effect.gen(function* () {
      const { linked, port, run } = yield* shop
      yield* run("ensure")
      const script = `require("node:net").createServer().listen(
        { host: "127.0.0.1", port: ${port}, reusePort: true }, () => console.log("listens"))`
      for (let worker = 0; worker < 5; worker++) {
        const program = yield* start(process.execPath, ["-e", script], { cwd: linked })
        yield* program.printed(/listens/)
      }
      const each = `node \\(pid \\d+\\) is listening on port ${port} \\(web\\) and runs in ${linked}; `
      expect((yield* run("ensure")).stderr).toMatch(new RegExp(`^warning: (${each}){3}and 2 more\\n$`))
    })
  )

  it.scopedLive("is not the project's below in which the command runs, on a port of the files above", () =>
    Effect.gen(function* () {
      const { port, project, run, server } = yield* shop
      const inner = join(project, "packages/api")
      mkdirSync(inner, { recursive: true })
      writeFileSync(join(inner, "portctl.json"), '{"services":{"api":{}}}')
      const there = (...args: ReadonlyArray<string>) => portctl(args, { server, cwd: inner })
      yield* there("env")
      const { pid } = yield* listeningProgram({ cwd: inner, port })
      expect(yield* there("run", "--quiet", "--no-watch", "--", "true")).toMatchObject({ code: 0, stderr: "" })
      expectAnswer(yield* there("get", "web"), `${port}\n`)
      expect((yield* run("ensure")).stderr).toBe(
        `warning: node (pid ${pid}) is listening on port ${port} (web) and belongs to shop:packages:api/main (${inner})\n`
      )
    })
  )

  it.scopedLive.skipIf(!hasIpv6)("is warned of in one line where there are several", () =>
    Effect.gen(function* () {
      const { linked, port, run } = yield* shop
      yield* run("ensure")
      const one = yield* listeningProgram({ cwd: linked, port })
      const other = yield* temporaryFolder
      const script = `require("node:net").createServer().listen(${port}, "::1", () => console.log("listens"))`
      const two = yield* start(process.execPath, ["-e", script], { cwd: other })
      yield* two.printed(/listens/)
      const line = (pid: number, folder: string) =>
        `node (pid ${pid}) is listening on port ${port} (web) and runs in ${folder}`
      expect((yield* run("ensure")).stderr).toBe(`warning: ${line(one.pid, linked)}; ${line(two.pid, other)}\n`)
    })
  )

  const asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups"]
  const canDrop = process.getuid?.() === 0 && spawnSync("setpriv", [...asNobody, "true"]).status === 0
  it.scopedLive.skipIf(!canDrop)("is warned of where it is another user's, whose folder cannot be read", () =>
    Effect.gen(function* () {
      const home = yield* realFolder
      chownSync(home, 65534, 65534)
      const run = (...args: ReadonlyArray<string>) =>
        start("setpriv", [...asNobody, ...args], { cwd: home, env: { HOME: home, PORT_SERVER_ADDR: address } })
      const serverPort = yield* freePorts(1)
      const address = `127.0.0.1:${serverPort}`
      const server = yield* run(bin.portServer, "--port", String(serverPort), "--db", join(home, "ports.db"))
      yield* server.printed(/listening on/)
      const port = yield* freePorts(1)
      const ask = Effect.flatMap(
        run(bin.portctl, "ensure", "--quiet", "--service", `web=${port}`),
        ({ ended }) => ended
      )
      expectAnswer(yield* ask, `${port}\n`)
      yield* listeningProgram({ cwd: "/", port })
      expect(yield* ask).toMatchObject({
        stdout: `${port}\n`,
        stderr: `warning: a process of user root is listening on port ${port} (web), whose project cannot be read\n`
      })
    })
  )

  it.scopedLive("says nothing of its own process", () =>
    Effect.gen(function* () {
      const { port, project, run } = yield* shop
      yield* run("ensure")
      yield* listeningProgram({ cwd: project, port })
      expectAnswer(yield* run("ensure"), `shop/main\nweb  ${port}\n`)
    })
  )
})

describe("a port that a service prefers", { concurrent: true }, () => {
  it.scopedLive("that another one has is told once with its holder", () =>
    Effect.gen(function* () {
      const { port, run, server } = yield* shop
      yield* allocate(server.port, { app: "myapp", port })
      const { stderr, stdout } = yield* run("ensure", "--quiet")
      const given = Number(stdout)
      expect(given).not.toBe(port)
      const note = `note: web prefers port ${port} and has ${given}: ${port} belongs to myapp/dev/web (id=1)\n`
      expect(stderr.replace(/^warning: .*\n/m, "")).toBe(note)
      expect((yield* run("ensure")).stderr).not.toContain("prefers")
    })
  )

  it.scopedLive("that another folder's process listens on is told with the process", () =>
    Effect.gen(function* () {
      const { linked, port, run } = yield* shop
      const { pid } = yield* listeningProgram({ cwd: linked, port })
      const { stderr, stdout } = yield* run("ensure", "--quiet")
      expect(stderr).toContain(
        `note: web prefers port ${port} and has ${Number(stdout)}: node (pid ${pid}) is listening on ${port}\n`
      )
    })
  )

  it.scopedLive("is free where only its own processes hold it", () =>
    Effect.gen(function* () {
      const { linked, port, project, run } = yield* shop
      yield* listeningProgram({ cwd: project, port })
      expectAnswer(yield* run("ensure"), `shop/main\nweb  ${port}\n`)
      yield* run("release", "--here")
      if (!hasIpv6) return
      const script = `require("node:net").createServer().listen(${port}, "::1", () => console.log("listens"))`
      const other = yield* start(process.execPath, ["-e", script], { cwd: linked })
      yield* other.printed(/listens/)
      expect((yield* run("ensure", "--quiet")).stdout).not.toBe(`${port}\n`)
    })
  )
})
