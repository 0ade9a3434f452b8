import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectError } from "../../support/Expectations.ts"
import { git, realFolder, temporaryRepository, worktree } from "../../support/Git.ts"
import { listeningProgram } from "../../support/Listening.ts"
import { bin, portctl, startServer } from "../../support/Programs.ts"

/** Write a project file; its path. */
const written = (folder: string, contents: object) => {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, "portctl.json")
  writeFileSync(file, JSON.stringify(contents))
  return file
}

/** A repository `shop` with a project file at its top. */
const project = Effect.fnUntraced(function* (contents: object) {
  const server = yield* startServer()
  const top = yield* temporaryRepository("shop")
  const file = written(top, contents)
  const run = (folder: string, ...args: ReadonlyArray<string>) => portctl(args, { server, cwd: join(top, folder) })
  return { file, run, server, top }
})

const shown = (...names: ReadonlyArray<string>) => [
  "run",
  "--quiet",
  "--",
  "sh",
  "-c",
  `echo ${names.map((name) => `$${name}`).join(" ")}`
]

describe.concurrent("a package in a worktree that was moved", () => {
  it.scopedLive("has the instance of that, also when it is the first to ask there", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project({ services: { web: {} } })
      const [red, blue] = ["red", "blue"].map((name) => join(top, "..", name))
      if (red === undefined || blue === undefined) throw new Error("there are two")
      worktree(top, red)
      written(join(red, "packages/api"), { services: { api: {} } })
      yield* portctl(["ensure", "--service", "web"], { server, cwd: red })
      git(top, "worktree", "move", red, blue)
      const ended = yield* portctl(["ensure"], { server, cwd: join(blue, "packages/api") })
      expect(ended.stdout).toMatch(/^shop:packages:api\/red\n/)
    })
  )
})

describe.concurrent("a service with a folder in portctl.json", () => {
  const services = {
    web: { env: "PORT" },
    api: { folder: "packages/api" },
    v2: { folder: "./packages/api/v2/", env: "V2" },
    docs: {}
  }

  it.scopedLive("has PORT in there, whatever the variables of the file say of it", () =>
    Effect.gen(function* () {
      const { run, top } = yield* project({
        services: { web: {}, api: { folder: "packages/api" } },
        variables: { PORT: "{web}" }
      })
      mkdirSync(join(top, "packages/api"), { recursive: true })
      expectAnswer(yield* run("", ...shown("PORT", "API_PORT")), "3000 3001\n")
      expectAnswer(yield* run("packages/api", ...shown("PORT", "API_PORT")), "3001 3001\n")
    })
  )

  it.scopedLive("has PORT in there, and the others keep their variables", () =>
    Effect.gen(function* () {
      const { run, top } = yield* project({ services, variables: { API_URL: "http://localhost:{api}" } })
      mkdirSync(join(top, "packages/api/v2/src"), { recursive: true })
      mkdirSync(join(top, "packages/api2"), { recursive: true })
      const all = ["PORT", "WEB_PORT", "API_PORT", "V2", "DOCS_PORT", "API_URL"]
      const url = "http://localhost:3001"
      expectAnswer(yield* run("", ...shown(...all)), `3000 3001 3002 3003 ${url}\n`)
      expectAnswer(yield* run("packages/api2", ...shown(...all)), `3000 3001 3002 3003 ${url}\n`)
      expectAnswer(yield* run("packages/api", ...shown(...all)), `3001 3000 3001 3002 3003 ${url}\n`)
      expectAnswer(yield* run("packages/api/v2/src", ...shown(...all)), `3002 3000 3001 3002 3003 ${url}\n`)
      expectAnswer(
        yield* run("packages/api", "env"),
        `# shop/main\nWEB_PORT=3000\nAPI_PORT=3001\nPORT=3001\nV2=3002\nDOCS_PORT=3003\nAPI_URL=${url}\n`
      )
      // A service that is named wins.
      expectAnswer(
        yield* run("packages/api", "run", "--quiet", "--service", "docs", "--", "sh", "-c", "echo $PORT $API_PORT"),
        "3003 3001\n"
      )
    })
  )

  it.scopedLive("is found where a link leads to its folder", () =>
    Effect.gen(function* () {
      const { run, top } = yield* project({ services: { web: {}, api: { folder: "api" } } })
      mkdirSync(join(top, "code/server"), { recursive: true })
      symlinkSync("code/server", join(top, "api"))
      expectAnswer(yield* run("code/server", ...shown("PORT")), "3001\n")
      expectAnswer(yield* run("code", ...shown("PORT")), "\n")
    })
  )

  for (const folder of ["", "/etc", "..", "../other", "a/../../b", "a//b", "."]) {
    it.scopedLive(`is refused with the folder ${JSON.stringify(folder)}`, () =>
      Effect.gen(function* () {
        const { file, run } = yield* project({ services: { api: { folder } } })
        expectError(
          yield* run("", "env"),
          `${file}: services.api.folder: folder must be the path of a folder inside the project, like packages/api`
        )
      })
    )
  }

  it.scopedLive("has it alone", () =>
    Effect.gen(function* () {
      const { file, run } = yield* project({ services: { a: { folder: "x" }, b: { folder: "./x/" } } })
      expectError(yield* run("", "env"), `${file}: services "a" and "b" have the same folder x: PORT can be of one`)
    })
  )
})

describe.concurrent("a portctl.json below another one", () => {
  const outer = { services: { web: { env: "PORT" }, db: {} }, variables: { DATABASE_URL: "pg:{db}" } }

  it.scopedLive("adds the variables of the services above to those of its own", () =>
    Effect.gen(function* () {
      const { run, top } = yield* project(outer)
      written(join(top, "packages/api"), { services: { dev: {} } })
      expectAnswer(
        yield* run("packages/api", "env"),
        "# shop:packages:api/main\nWEB_PORT=3000\nDB_PORT=3001\nDATABASE_URL=pg:3001\nDEV_PORT=3002\n"
      )
      expectAnswer(
        yield* run("packages/api", ...shown("PORT", "DEV_PORT", "WEB_PORT", "DATABASE_URL")),
        "3002 3002 3000 pg:3001\n"
      )
      expectAnswer(
        yield* run("packages/api", "run", "--quiet", "--", "echo", "{db}", "{dev}", "{PORT}"),
        "3001 3002 3002\n"
      )
      expectAnswer(yield* run("packages/api", "get", "db"), "3001\n")
      // They are those of the folder above, and asked for alone, those of its own are alone.
      expectAnswer(yield* run("", "env"), "# shop/main\nPORT=3000\nDB_PORT=3001\nDATABASE_URL=pg:3001\n")
      expectAnswer(yield* run("packages/api", "ensure"), "shop:packages:api/main\ndev  3002\n")
      expectAnswer(yield* run("packages/api", "env", "--service", "dev"), "# shop:packages:api/main\nDEV_PORT=3002\n")
    })
  )

  it.scopedLive("has a PORT of its own in a shell with the variables of the top, as direnv leaves them", () =>
    Effect.gen(function* () {
      const { run, server, top } = yield* project({
        services: { web: { env: "PORT" }, api: { folder: "packages/api" } }
      })
      yield* run("", "env")
      written(join(top, "packages/dev"), { services: { dev: {} } })
      mkdirSync(join(top, "packages/api"))
      const inShell = (folder: string, ...args: ReadonlyArray<string>) =>
        portctl(["run", ...args, "--", "sh", "-c", "echo $PORT"], {
          server,
          cwd: join(top, folder),
          env: { PORT: "3000" }
        })
      const note = "note: PORT was set to 3000, the port 3000 of shop/main/web, and is replaced\n"
      for (const [folder, port] of [
        ["packages/api", 3001],
        ["packages/dev", 3002]
      ] as const) {
        expect(yield* inShell(folder)).toMatchObject({ stdout: `${port}\n`, stderr: expect.stringContaining(note) })
      }
      expect(yield* inShell("")).toMatchObject({ stdout: "3000\n", stderr: expect.not.stringContaining("note") })
      // At the top, the port of another service can be the user's choice.
      const chosen = ["run", "--", "sh", "-c", "echo $PORT"]
      expect(yield* portctl(chosen, { server, cwd: top, env: { PORT: "3001" } })).toMatchObject({
        stdout: "3001\n",
        stderr: expect.stringContaining("note: PORT is set to 3001 already and stays (shop/main has 3000)\n")
      })
      // It has several services and no PORT.
      written(join(top, "packages/two"), { services: { x: {}, y: {} } })
      const removed = "note: PORT was set to 3000, the port 3000 of shop/main/web, and is removed\n"
      expect(yield* inShell("packages/two")).toMatchObject({ stdout: "\n", stderr: expect.stringContaining(removed) })
      const inner = ["sh", "-c", 'cd packages/two; "$0" run --quiet -- sh -c "echo [\\$PORT]"', bin.portctl]
      expectAnswer(yield* run("", "run", "--quiet", "--", ...inner), "[]\n")
    })
  )

  it.scopedLive("has the instance of the worktree around it, whatever that is called", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project(outer)
      const second = join(top, "../b/shop")
      git(top, "clone", "--quiet", top, second)
      const label = (folder: string, ...args: ReadonlyArray<string>) =>
        Effect.map(portctl(["ensure", ...args], { server, cwd: folder }), ({ stdout }) => stdout.split("\n")[0])
      const inner = (folder: string) => {
        written(join(folder, "packages/api"), { services: { dev: {} } })
        return join(folder, "packages/api")
      }
      expect(yield* label(top)).toBe("shop/main")
      expect(yield* label(second)).toBe("shop/main-2")
      expect(yield* label(inner(second))).toBe("shop:packages:api/main-2")
      expect(yield* label(inner(top))).toBe("shop:packages:api/main")
      const feature = worktree(top, join(top, "../feature"))
      expect(yield* label(feature, "--instance", "red")).toBe("shop/red")
      yield* label(feature, "--app", "tools", "--instance", "ci", "--service", "web")
      yield* portctl(["allocate", "--app", "shop:packages:api", "--instance", "red", "--service", "extra"], { server })
      expect(yield* label(inner(feature))).toBe("shop:packages:api/red")
    })
  )

  it.scopedLive("is part of the whole once its project file is gone", () =>
    Effect.gen(function* () {
      const { file, run, top } = yield* project({ services: { web: {} } })
      const inner = join(top, "packages/api")
      const own = written(inner, { services: { api: {} } })
      yield* run("packages/api", "ensure")
      rmSync(own)
      writeFileSync(file, JSON.stringify({ services: { api: { folder: "packages/api" } } }))
      const { stdout } = yield* run("packages/api", "get", "api")
      yield* listeningProgram({ cwd: inner, port: Number(stdout) })
      const verified = yield* run("packages/api", "verify")
      expect(verified).toMatchObject({ code: 0, stdout: expect.stringMatching(/^api +\d+ +own /m) })
      expect((yield* run("", "ensure")).stderr).toBe("")
      expectAnswer(yield* run("packages/api", "kill", "--service", "api"), expect.stringMatching(/^ended node /))
      expect((yield* run("", "release", "--here")).stderr).toBe(
        `note: ${inner} has no portctl.json any more, and ports still, for: portctl release --id 1\n`
      )
    })
  )

  it.scopedLive("gets an instance by --instance and PORTCTL_INSTANCE for itself alone", () =>
    Effect.gen(function* () {
      const { run, server, top } = yield* project({ services: { db: {} } })
      const inner = join(top, "packages/api")
      written(inner, { services: { api: {} } })
      const { stdout } = yield* run("", "get", "db")
      yield* run("packages/api", "ensure")
      const note = (before: string, now: string) =>
        `note: this folder was shop:packages:api/${before}, and is shop:packages:api/${now} from now on; portctl ensure --instance ${before} makes it that again\n`
      // The command in it has the instance as PORTCTL_INSTANCE.
      const command = [bin.portctl, "run", "--quiet", "--", "sh", "-c", "echo $DB_PORT"]
      expect(yield* run("packages/api", "run", "--instance", "red", "--quiet", "--", ...command)).toMatchObject({
        stdout,
        stderr: note("main", "red")
      })
      const env = { PORTCTL_INSTANCE: "blue" }
      expect(yield* portctl(["run", "--quiet", "--", ...command], { server, cwd: inner, env })).toMatchObject({
        stdout,
        stderr: note("red", "blue")
      })
      expectAnswer(yield* run("", "get", "db"), stdout)
      for (const words of [
        ["get", "db"],
        ["open", "--service", "db"]
      ]) {
        expectError(
          yield* run("packages/api", ...words, "--instance", "red"),
          `db is a service of ${join(top, "portctl.json")}; --app and --instance are about ${inner}: give them in ${top}`
        )
      }
    })
  )

  it.scopedLive("of a second clone is told by its folder that the top has another instance", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project({ services: { db: {} } })
      yield* portctl(["ensure"], { server, cwd: top })
      const second = join(top, "../b/shop")
      git(top, "clone", "--quiet", top, second)
      written(second, { services: { db: {} } })
      written(join(second, "api"), { services: { api: {} } })
      expect((yield* portctl(["env"], { server, cwd: join(second, "api") })).stderr).toContain(
        `note: shop/main belongs to ${top}, so ${second} is shop/main-2; portctl ensure --instance NAME in it gives it another one\n`
      )
    })
  )

  it.scopedLive("of another version control system is named after its top and its path", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const top = join(yield* realFolder, "shop")
      mkdirSync(join(top, ".jj"), { recursive: true })
      const inner = join(top, "packages/api")
      written(inner, { services: { api: {} } })
      const { stdout } = yield* portctl(["ensure"], { server, cwd: inner })
      expect(stdout.split("\n")[0]).toBe("shop:packages:api/main")
      expect((yield* portctl(["ensure"], { server, cwd: top })).stdout.split("\n")[0]).toBe("shop/main")
    })
  )

  it.scopedLive("keeps its ports when those of the top are released, which a note says", () =>
    Effect.gen(function* () {
      const { run, server, top } = yield* project(outer)
      const inner = join(top, "packages/api")
      written(inner, { services: { dev: {} } })
      yield* run("packages/api", "env")
      yield* portctl(["ensure"], { server, cwd: worktree(top, join(top, "agents/one")) })
      const released = (folders: string) => ({
        stdout: `released 2 allocation(s) of ${top} (shop/main)\n`,
        stderr: `note: ${folders} gives them back\n`
      })
      expect(yield* run("", "release", "--here")).toMatchObject(
        released(`${inner} has ports of its own, which stay; portctl release --here in it`)
      )
      const bee = join(top, "packages/bee")
      written(bee, { app: "bee", services: { dev: {} } })
      yield* run("packages/bee", "ensure", "--instance", "own")
      yield* run("", "ensure")
      expect(yield* run("", "release", "--here")).toMatchObject(
        released(`${inner}, ${bee} have ports of their own, which stay; portctl release --here in each`)
      )
      expectAnswer(
        yield* run("packages/api", "release", "--here"),
        `released 1 allocation(s) of ${inner} (shop:packages:api/main)\n`
      )
      yield* run("", "ensure")
      rmSync(bee, { recursive: true })
      expect((yield* run("", "release", "--here")).stderr).toBe(
        `note: ${bee} is gone, and has ports still; portctl prune gives them back\n`
      )
      expect((yield* run("", "prune", "--dry-run")).stdout).toContain(bee)
    })
  )

  it.scopedLive("notes that a service which it is asked for is one of the file above, when that gets a port", () =>
    Effect.gen(function* () {
      const { file, run, top } = yield* project(outer)
      written(join(top, "packages/api"), { services: { dev: {} } })
      yield* run("packages/api", "env")
      const note = `note: portctl.json has no service db, ${file} has it, and portctl get db prints that port; portctl release --here --service db gives this one back\n`
      const label = "shop:packages:api/main"
      expect(yield* run("packages/api", "env", "--service", "db")).toEqual({
        code: 0,
        signal: null,
        stdout: `# ${label}\nDB_PORT=3003\n`,
        stderr: note
      })
      expectAnswer(yield* run("packages/api", "ensure", "--service", "db"), `${label}\ndb  3003\n`)
      expectAnswer(yield* run("packages/api", "get", "db"), "3001\n")
      expectAnswer(
        yield* run("packages/api", "release", "--here", "--service", "db"),
        `released 1 allocation(s) of ${join(top, "packages/api")} (${label})\n`
      )
    })
  )

  it.scopedLive("wins over those above, and has none of those above a root", () =>
    Effect.gen(function* () {
      const { run, top } = yield* project(outer)
      written(join(top, "packages"), { root: true, services: { all: {}, db: {} } })
      written(join(top, "packages/api"), { services: { db: {} } })
      expectAnswer(yield* run("packages/api", "env"), "# shop:packages:api/main\nALL_PORT=3000\nDB_PORT=3002\n")
      expectAnswer(yield* run("packages", "env"), "# shop:packages/main\nALL_PORT=3000\nDB_PORT=3001\n")
      written(join(top, "packages/api"), { root: true, services: { db: {} } })
      expectAnswer(yield* run("packages/api", "env"), "# shop:packages:api/main\nDB_PORT=3002\n")
    })
  )

  it.scopedLive("is in the same worktree as those above, which end at its top", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const folder = yield* realFolder
      written(folder, { services: { stray: {} } })
      const top = join(folder, "shop")
      mkdirSync(top)
      git(top, "init", "--quiet", "--initial-branch=main")
      written(top, outer)
      written(join(top, "api"), { services: { dev: {} } })
      git(top, "add", ".")
      git(top, "commit", "--quiet", "--message=first")
      const feature = worktree(top, join(folder, "feature"))
      const env = (cwd: string) => portctl(["env"], { server, cwd })
      expectAnswer(
        yield* env(join(top, "api")),
        "# shop:api/main\nWEB_PORT=3000\nDB_PORT=3001\nDATABASE_URL=pg:3001\nDEV_PORT=3002\n"
      )
      expectAnswer(
        yield* env(join(feature, "api")),
        "# shop:api/feature\nWEB_PORT=3003\nDB_PORT=3004\nDATABASE_URL=pg:3004\nDEV_PORT=3005\n"
      )
      expectAnswer(yield* env(feature), "# shop/feature\nPORT=3003\nDB_PORT=3004\nDATABASE_URL=pg:3004\n")
    })
  )

  it.scopedLive("is told of a file above that is wrong", () =>
    Effect.gen(function* () {
      const { file, run, top } = yield* project({ services: {} })
      written(join(top, "api"), { services: { dev: {} } })
      expectError(yield* run("api", "env"), `${file}: services must name one at least, like {"web": {}}`)
    })
  )
})
