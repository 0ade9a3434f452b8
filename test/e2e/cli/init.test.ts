import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { projectFileSchemaText } from "@port-server/domain/ProjectFileJsonSchema"
import * as Effect from "effect/Effect"
import { expectAnswer, expectError, expectUsageError } from "../../support/Expectations.ts"
import { noFaultInjection } from "../../support/FaultInjection.ts"
import { git, realFolder, repository, temporaryRepository, worktree } from "../../support/Git.ts"
import { bin, type PortServer, portctl, start, startServer, temporaryFolder } from "../../support/Programs.ts"

// The file is for every machine, so it is not the address of this one's server.
const $schema = "http://127.0.0.1:51234/portctl.schema.json"

/** Nothing listens there: init needs no server. */
const init = (cwd: string, ...args: ReadonlyArray<string>) =>
  portctl(["init", ...args], { cwd, env: { PORT_SERVER_ADDR: "127.0.0.1:1" } })

/** The same while a server runs, which knows the instance. */
const initWith = (server: PortServer, cwd: string, ...args: ReadonlyArray<string>) =>
  portctl(["init", ...args], { cwd, server })

const contents = (folder: string): unknown => JSON.parse(readFileSync(join(folder, "portctl.json"), "utf8"))

describe.concurrent("portctl init", () => {
  it.scopedLive("writes a portctl.json where it is called, with --root at the top of the worktree", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const top = yield* temporaryRepository("proj")
      mkdirSync(join(top, "src"))
      expectAnswer(
        yield* initWith(server, join(top, "src"), "--root"),
        `wrote ${top}/portctl.json for proj/main: web (PORT)\n`
      )
      expect(readFileSync(join(top, "portctl.json"), "utf8")).toBe(
        `${JSON.stringify({ $schema, services: { web: { env: "PORT" } } }, undefined, 2)}\n`
      )
      expect(readdirSync(top).sort()).toEqual([".git", "portctl.json", "src"])
      expectAnswer(
        yield* initWith(server, join(top, "src")),
        `wrote ${top}/src/portctl.json for proj:src/main: web (PORT)\n`
      )
      expectError(
        yield* initWith(server, join(top, "src")),
        `${top}/src/portctl.json is there already; portctl add adds services to it`
      )
      const tree = worktree(top, join(top, "../tree"))
      expectAnswer(yield* initWith(server, tree), `wrote ${tree}/portctl.json for proj/tree: web (PORT)\n`)
    })
  )

  it.scopedLive("with the services and the app that it is told", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const folder = yield* realFolder
      const args = ["--app", "shop", "--service", "web=3000,db", "--service", "my-mail,2fa"]
      expectAnswer(
        yield* initWith(server, folder, ...args),
        `wrote ${folder}/portctl.json for shop/main: web (PORT), db (DB_PORT), my-mail (MY_MAIL_PORT), 2fa (_2FA_PORT)\n`
      )
      expect(contents(folder)).toEqual({
        $schema,
        app: "shop",
        services: {
          web: { env: "PORT", prefer: 3000 },
          db: { env: "DB_PORT" },
          "my-mail": { env: "MY_MAIL_PORT" },
          "2fa": { env: "_2FA_PORT" }
        }
      })
      expectAnswer(yield* portctl(["ensure", "--quiet"], { server, cwd: folder }), "3000\n3001\n3002\n3003\n")
    })
  )

  it.scopedLive("--json prints the file and its contents", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const folder = yield* realFolder
      const ended = yield* initWith(server, folder, "--json")
      expect(ended).toMatchObject({ code: 0, stderr: "" })
      expect(JSON.parse(ended.stdout)).toEqual({
        place: { app: basename(folder), instance: "main" },
        file: join(folder, "portctl.json"),
        contents: contents(folder)
      })
    })
  )

  it.scopedLive(
    "names the instance that the folder has, and none where only a server that does not respond knows it",
    () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const folder = yield* realFolder
        const first = repository(join(folder, "shop"))
        yield* portctl(["ensure", "--instance", "mine", "--service", "web"], { server, cwd: first })
        expectAnswer(yield* initWith(server, first), `wrote ${first}/portctl.json for shop/mine: web (PORT)\n`)
        const store = repository(join(folder, "store"))
        const second = join(folder, "clones/store")
        git(folder, "clone", "--quiet", store, second)
        for (const clone of [store, second]) mkdirSync(join(clone, "api"))
        yield* portctl(["init"], { server, cwd: join(store, "api") })
        yield* portctl(["ensure"], { server, cwd: join(store, "api") })
        const api = join(second, "api")
        expectAnswer(yield* initWith(server, api), `wrote ${api}/portctl.json for store:api/main-2: web (PORT)\n`)
        expect((yield* portctl(["ensure"], { server, cwd: api })).stdout).toMatch(/^store:api\/main-2\n/)
        const env = { PORT_SERVER_ADDR: "127.0.0.1:1", PORT_SERVER_DB: join(folder, "ports.db") }
        const without = (cwd: string) => portctl(["init"], { cwd, env })
        expectAnswer(yield* without(store), `wrote ${store}/portctl.json for store/main: web (PORT)\n`)
        writeFileSync(env.PORT_SERVER_DB, "")
        expectAnswer(yield* without(second), `wrote ${second}/portctl.json: web (PORT)\n`)
      })
  )

  it.scopedLive.skipIf(noFaultInjection !== undefined)("makes its file where there are no hard links", () =>
    Effect.gen(function* () {
      const cwd = yield* temporaryFolder
      const strace = ["-f", "-qq", "-o", "/dev/null", "-e", "inject=link,linkat:error=EPERM", bin.portctl]
      const init = Effect.flatMap(start("strace", [...strace, "init"], { cwd }), ({ ended }) => ended)
      expect(yield* init).toMatchObject({ code: 0, stderr: "" })
      const file = readFileSync(join(cwd, "portctl.json"), "utf8")
      expect(JSON.parse(file)).toHaveProperty("services")
      expect((yield* init).code).toBe(1)
      expect(readFileSync(join(cwd, "portctl.json"), "utf8")).toBe(file)
      expect(readdirSync(cwd)).toEqual(["portctl.json"])
    })
  )

  it.scopedLive("leaves a file that is there as it is, also a link that leads nowhere", () =>
    Effect.gen(function* () {
      const folder = yield* realFolder
      const file = join(folder, "portctl.json")
      writeFileSync(file, "mine")
      expectError(yield* init(folder), `${file} is there already; portctl add adds services to it`)
      expect(readFileSync(file, "utf8")).toBe("mine")
      const other = yield* realFolder
      symlinkSync("nowhere", join(other, "portctl.json"))
      expectError(yield* init(other), `${other}/portctl.json is there already; portctl add adds services to it`)
      expect(readdirSync(other)).toEqual(["portctl.json"])
    })
  )

  it.scopedLive("of several at once, one writes the file and the others find it", () =>
    Effect.gen(function* () {
      const folder = yield* realFolder
      const names = ["a", "b", "c", "d"]
      const ended = yield* Effect.forEach(names, (name) => init(folder, "--service", name), {
        concurrency: "unbounded"
      })
      const winner = names[ended.findIndex(({ code }) => code === 0)] ?? ""
      expect(ended.filter(({ code }) => code === 0).length).toBe(1)
      expect(contents(folder)).toMatchObject({ services: { [winner]: {} } })
      expect(readdirSync(folder)).toEqual(["portctl.json"])
    })
  )

  it.scopedLive("beside the worktrees of a bare repository it writes one for all of them, inside it none", () =>
    Effect.gen(function* () {
      const folder = yield* realFolder
      git(folder, "clone", "--quiet", "--bare", repository(join(folder, "source")), "hull/.bare")
      const top = join(folder, "hull")
      writeFileSync(join(top, ".git"), "gitdir: ./.bare\n")
      expectAnswer(yield* init(top), `wrote ${top}/portctl.json: web (PORT)\n`)
      const inside = yield* init(join(top, ".bare"))
      expect(inside).toMatchObject({ code: 1, stdout: "" })
      expect(inside.stderr).toMatch(/^error: .* is in none of the worktrees of .*; go to one first\n$/)
    })
  )

  it.scopedLive("says, as add does, what else to do with a service whose variable it cannot set", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryRepository("shop")
      const sentence =
        'the variable of the service "port-server" must not be PORT_SERVER_PORT: a project file cannot set that variable; name it otherwise, or write it into portctl.json with an "env"'
      expectError(yield* init(folder, "--service", "web,port-server"), sentence)
      expect((yield* init(folder)).code).toBe(0)
      const add = portctl(["add", "db", "port-server=4000"], { cwd: folder })
      expectError(yield* add, sentence)
      const file = join(folder, "portctl.json")
      writeFileSync(file, JSON.stringify({ services: { "port-server": { env: "REGISTRY" } } }))
      expect(yield* add).toMatchObject({ code: 0, stderr: "" })
      expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
        services: { "port-server": { env: "REGISTRY", prefer: 4000 }, db: { env: "DB_PORT" } }
      })
    })
  )

  it.scopedLive("refuses services that would share a variable, and names that are none", () =>
    Effect.gen(function* () {
      const folder = yield* realFolder
      expectError(
        yield* init(folder, "--service", "a-b,a_b"),
        'services "a-b" and "a_b" have the same variable A_B_PORT; give one another "env" in portctl.json'
      )
      for (const [services, wrong] of [
        ["web=3000,api=3000", /port 3000 is asked for twice/],
        ["web,web", /service "web" is asked for twice/]
      ] as const) {
        expectUsageError(yield* init(folder, "--service", services), wrong, "portctl init")
      }
      expectError(yield* init(folder, "--service", "__proto__"), '"__proto__" cannot be a name in portctl.json')
      expectUsageError(yield* init(folder, "--service", "web="), /port must be an integer/, "portctl init")
      expectUsageError(yield* init(folder, "--app", ""), /app must not be blank/, "portctl init")
      expect(readdirSync(folder)).toEqual([])
    })
  )
})

it("the published JSON Schema is what the domain generates; npm run schema writes it", () => {
  const published = new URL("../../../packages/domain/portctl.schema.json", import.meta.url)
  expect(readFileSync(published, "utf8")).toBe(projectFileSchemaText())
})
