import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { listed } from "../../support/Api.ts"
import { expectAnswer, expectUsageError } from "../../support/Expectations.ts"
import { git, realFolder, repository, worktree } from "../../support/Git.ts"
import { listeningProgram, startServerOnFreePorts } from "../../support/Listening.ts"
import { bin, type PortServer, portctl, start, temporaryFolder } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

/** A server with ports of two worktrees, one of which is gone. */
const projects = Effect.gen(function* () {
  const server = yield* startServerOnFreePorts(4)
  const folder = yield* temporaryFolder
  for (const instance of ["kept", "gone"]) {
    const path = join(folder, instance)
    mkdirSync(path)
    yield* call(server.port, "POST", "/v1/ensure", { app: "shop", instance, path, services: [{ service: "web" }] })
  }
  rmSync(join(folder, "gone"), { recursive: true })
  return { server, gone: join(folder, "gone"), port: server.first + 1 }
})

const count = (server: PortServer) => Effect.map(listed(server.port, "shop"), (found) => [found].flat().length)

/** `portctl prune` with a text on its standard input. */
const asked = (server: PortServer, input: string) =>
  start("sh", ["-c", 'printf "$1" | "$0" prune', bin.portctl, input], {
    env: { PORT_SERVER_ADDR: server.address }
  }).pipe(
    Effect.flatMap(({ ended }) => ended),
    Effect.scoped
  )

describe.concurrent("portctl prune", () => {
  it.scopedLive("--dry-run shows what is stale, and releases nothing", () =>
    Effect.gen(function* () {
      const { gone, port, server } = yield* projects
      expectAnswer(
        yield* portctl(["prune", "--dry-run"], { server }),
        `would release port ${port} of shop/gone/web (id=2): ${gone} is gone\n`
      )
      expect(yield* count(server)).toBe(2)
    })
  )

  it.scopedLive("--yes releases it, and then nothing is stale", () =>
    Effect.gen(function* () {
      const { gone, port, server } = yield* projects
      expectAnswer(
        yield* portctl(["prune", "--yes"], { server }),
        `released port ${port} of shop/gone/web (id=2): ${gone} is gone\n`
      )
      expect(yield* count(server)).toBe(1)
      expectAnswer(yield* portctl(["prune", "--yes"], { server }), "nothing is stale\n")
      expectAnswer(yield* portctl(["prune"], { server }), "nothing is stale\n")
    })
  )

  it.scopedLive("tells on stderr what it leaves because the parent of its folder is gone too", () =>
    Effect.gen(function* () {
      const { gone, port, server } = yield* projects
      const far = join(gone, "far/shop")
      for (const instance of ["far", "farther"]) {
        const body = { app: "shop", instance, path: far, services: [{ service: "web" }] }
        yield* call(server.port, "POST", "/v1/ensure", body)
      }
      const stderr = `note: 2 allocation(s) belong to folders whose parent folder is gone too, like ${far}; portctl release --id gives one back: 3, 4\n`
      const stale = `would release port ${port} of shop/gone/web (id=2): ${gone} is gone\n`
      expect(yield* portctl(["prune", "--dry-run"], { server })).toMatchObject({ code: 0, stdout: stale, stderr })
      expect((yield* asked(server, "n\\n")).stderr).toBe(`${stderr}Release 1 port(s)? [y/N] `)
      const json = yield* portctl(["prune", "--yes", "--json"], { server })
      expect(JSON.parse(json.stdout)).toMatchObject({ allocations: [{ id: 2 }] })
      expect(json.stderr).toBe(stderr)
      const nothing = { code: 0, stdout: "nothing is stale\n", stderr }
      expect(yield* portctl(["prune"], { server })).toMatchObject(nothing)
      expect(yield* count(server)).toBe(3)
    })
  )

  it.scopedLive("--json prints the API's own body", () =>
    Effect.gen(function* () {
      const { gone, port, server } = yield* projects
      const shown = yield* portctl(["prune", "--dry-run", "--json"], { server })
      expect(JSON.parse(shown.stdout)).toMatchObject({ allocations: [{ id: 2, port, path: gone }] })
      expectAnswer(yield* portctl(["prune", "--yes", "--json"], { server }), shown.stdout)
    })
  )

  it.scopedLive("keeps a former service that is named again while the question is open", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(4)
      const cwd = repository(join(yield* realFolder, "shop"))
      const file = (text: string) => writeFileSync(join(cwd, "portctl.json"), text)
      file('{"services": {"web": {}, "db": {}}}')
      yield* portctl(["ensure"], { server, cwd })
      file('{"services": {"web": {}}}')
      const script = `mkfifo answer; "$0" prune < answer 2> asked & exec 3> answer
until grep -q 'y/N' asked; do sleep 0.05; done
echo '{"services": {"web": {}, "db": {}}}' > portctl.json; echo y >&3; wait`
      const { ended } = yield* start("sh", ["-c", script, bin.portctl], {
        cwd,
        env: { PORT_SERVER_ADDR: server.address }
      })
      expect((yield* ended).stdout).not.toContain("released")
      expect(yield* count(server)).toBe(2)
    })
  )

  it.scopedLive("offers services that no project file names any more, unless something is on their port", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(5)
      const project = repository(join(yield* realFolder, "shop"))
      const inner = join(project, "packages/api")
      mkdirSync(inner, { recursive: true })
      const write = (folder: string, ...services: ReadonlyArray<string>) =>
        writeFileSync(
          join(folder, "portctl.json"),
          JSON.stringify({ services: Object.fromEntries(services.map((name) => [name, {}])) })
        )
      write(project, "web", "db", "cache")
      write(inner, "api")
      for (const cwd of [project, inner]) yield* portctl(["ensure"], { server, cwd })
      // Never named by a file.
      yield* portctl(["ensure", "--service", "mail"], { server, cwd: project })
      write(project, "web")
      yield* listeningProgram({ cwd: project, port: server.first + 2 })
      const line = `port ${server.first + 1} of shop/main/db (id=2): ${join(project, "portctl.json")} names no db\n`
      expectAnswer(yield* portctl(["prune", "--dry-run"], { server }), `would release ${line}`)
      const json = yield* portctl(["prune", "--dry-run", "--json"], { server })
      expect(JSON.parse(json.stdout)).toMatchObject({
        allocations: [],
        unnamed: [{ allocation: { id: 2, service: "db" }, file: join(project, "portctl.json") }]
      })
      const ended = yield* asked(server, "y\\n")
      expect(ended).toMatchObject({ code: 0, stdout: `stale: ${line}released ${line}` })
      expect(yield* count(server)).toBe(3)
      expectAnswer(yield* portctl(["prune", "--yes"], { server }), "nothing is stale\n")
    })
  )

  it.scopedLive("tells what still listens in a folder that is gone, also after it was made again", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(2)
      const project = repository(join(yield* realFolder, "shop"))
      const linked = worktree(project, `${project}-feature`)
      yield* portctl(["ensure", "--service", "web"], { server, cwd: linked })
      const web = yield* listeningProgram({ cwd: linked, port: server.first })
      const other = yield* listeningProgram({ cwd: linked })
      git(project, "worktree", "remove", linked)
      const stderr = [
        `note: node (pid ${web.pid}) is listening on port ${server.first} of shop/shop-feature/web (id=1) in ${linked}, which is gone`,
        `note: node (pid ${other.pid}) is listening on port ${other.port} in ${linked}, which is gone`,
        ""
      ].join("\n")
      const nothing = { code: 0, stdout: "nothing is stale\n", stderr }
      expect(yield* portctl(["prune"], { server })).toMatchObject(nothing)
      worktree(project, linked)
      const anew = { ...nothing, stderr: stderr.replaceAll("is gone", "was removed and made anew") }
      expect(yield* portctl(["prune"], { server })).toMatchObject(anew)
      const ensured = yield* portctl(["ensure"], { server, cwd: linked })
      expect(ensured.stderr).toBe(
        `warning: node (pid ${web.pid}) is listening on port ${server.first} (web) and runs in ${linked} (deleted)\n`
      )
    })
  )

  it.scopedLive("keeps the ports of a worktree that git has moved, whose processes are its own as before", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(2)
      const project = repository(join(yield* realFolder, "shop"))
      const linked = worktree(project, `${project}-feature`)
      mkdirSync(join(linked, "packages"))
      writeFileSync(join(linked, "packages", "portctl.json"), '{"services":{"api":{}}}')
      yield* portctl(["ensure", "--service", "web"], { server, cwd: linked })
      yield* portctl(["ensure"], { server, cwd: join(linked, "packages") })
      const { pid } = yield* listeningProgram({ cwd: linked, port: server.first })
      git(project, "worktree", "move", linked, `${linked}-2`)
      expectAnswer(yield* portctl(["prune", "--yes"], { server }), "nothing is stale\n")
      const { stdout } = yield* portctl(["why", "--port", String(server.first)], { server })
      expect(stdout).toContain(`node (pid ${pid})`)
      expect(stdout).toContain("belongs to the allocation's project: yes")
    })
  )

  it.scopedLive("first tells the server where the current folder is now", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(2)
      const project = repository(join(yield* realFolder, "shop"))
      yield* portctl(["ensure", "--service", "web"], { server, cwd: project })
      renameSync(project, `${project}-2`)
      const pruned = yield* portctl(["prune", "--yes"], { server, cwd: `${project}-2` })
      expect(pruned).toMatchObject({
        code: 0,
        stdout: "nothing is stale\n",
        stderr: `note: ${project} was moved here; it keeps shop/main and its ports\n`
      })
      expect(yield* count(server)).toBe(1)
    })
  )

  it.scopedLive("tells who keeps the port of a folder that is gone", () =>
    Effect.gen(function* () {
      const { gone, port, server } = yield* projects
      const { pid } = yield* listeningProgram({ cwd: yield* temporaryFolder, port })
      expect(yield* portctl(["prune", "--yes"], { server })).toMatchObject({
        stdout: "nothing is stale\n",
        stderr: `note: port ${port} of shop/gone/web (id=2), whose folder ${gone} is gone, is kept, because node (pid ${pid}) is listening on it\n`
      })
    })
  )

  for (const [input, released] of [
    ["y\\n", true],
    ["YES\\n", true],
    ["n\\n", false],
    ["\\n", false],
    ["", false]
  ] as const) {
    it.scopedLive(`asks, and ${JSON.stringify(input)} ${released ? "releases" : "releases nothing: exit 1"}`, () =>
      Effect.gen(function* () {
        const { port, server } = yield* projects
        const ended = yield* asked(server, input)
        expect(ended.stderr).toContain("Release 1 port(s)? [y/N] ")
        expect(ended.stdout).toMatch(new RegExp(`^stale: port ${port} of shop/gone/web `))
        expect(ended.stdout).toMatch(released ? new RegExp(`^released port ${port} of`, "m") : /^released nothing$/m)
        expect(ended.code).toBe(released ? 0 : 1)
        expect(yield* count(server)).toBe(released ? 1 : 2)
      })
    )
  }

  it.scopedLive("cannot ask and print JSON, nor both show and release", () =>
    Effect.gen(function* () {
      const { server } = yield* projects
      expectUsageError(yield* portctl(["prune", "--json"], { server }), /--yes or --dry-run/, "portctl prune")
      expectUsageError(
        yield* portctl(["prune", "--yes", "--dry-run"], { server }),
        /exclude each other/,
        "portctl prune"
      )
      expect(yield* count(server)).toBe(2)
    })
  )
})
