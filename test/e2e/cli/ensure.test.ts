import { execFileSync } from "node:child_process"
import { chownSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { EnsureResult } from "@port-server/domain/Ensure"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { allocate, listed } from "../../support/Api.ts"
import { expectAnswer, expectError, expectUsageError } from "../../support/Expectations.ts"
import { git, realFolder, temporaryRepository, worktree } from "../../support/Git.ts"
import { listeningProgram } from "../../support/Listening.ts"
import { type PortServer, portctl, startServer } from "../../support/Programs.ts"
import { answering, listener } from "../../support/Sockets.ts"

const decode = Schema.decodeUnknownSync(Schema.parseJson(EnsureResult))

/** A server and a repository named `proj`. */
const project = Effect.all({ server: startServer(), top: temporaryRepository("proj") })

/** The same, with a clone that has the same name. */
const clones = Effect.gen(function* () {
  const { server, top } = yield* project
  const clone = join(yield* realFolder, "proj")
  git(top, "clone", "--quiet", top, clone)
  return { server, top, clone }
})

const ensure = (server: PortServer, cwd: string, ...args: ReadonlyArray<string>) =>
  portctl(["ensure", ...args], { server, cwd })

describe.concurrent("portctl ensure", () => {
  it.scopedLive("gives each service a port, and the same ones when asked again", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const answer = "proj/main\nweb       3000\npostgres  3001\n"
      expectAnswer(yield* ensure(server, top, "--service", "web,postgres"), answer)
      expectAnswer(yield* ensure(server, top, "--service", "web,postgres"), answer)
      expectAnswer(yield* ensure(server, top, "--service=postgres"), "proj/main\npostgres  3001\n")
    })
  )

  it.scopedLive("takes services by commas and by repeating the flag, and answers in the order asked", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const args = ["--service", "web, db=5432", "--quiet", "--service=mail", "--service", "web2=8080"]
      expectAnswer(yield* ensure(server, top, ...args), "3000\n5432\n3001\n8080\n")
      expectAnswer(yield* ensure(server, top, "--quiet", "--service", "mail,web"), "3001\n3000\n")
    })
  )

  it.scopedLive("--json prints the API's own body, with the worktree's folder", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const ended = yield* ensure(server, top, "--service", "web", "--json")
      expectAnswer(
        ended,
        `${JSON.stringify({ app: "proj", instance: "main", allocations: yield* listed(server.port, "proj") })}\n`
      )
      expect(decode(ended.stdout).allocations[0]).toMatchObject({ port: 3000, path: top })
    })
  )

  it.scopedLive("worktrees have ports of their own", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const tree = worktree(top, join(top, "../feature"))
      expectAnswer(yield* ensure(server, top, "--service", "web"), "proj/main\nweb  3000\n")
      expectAnswer(yield* ensure(server, tree, "--service", "web"), "proj/feature\nweb  3001\n")
    })
  )

  it.scopedLive("an exact port that another has is an error, and nothing is changed", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      yield* allocate(server.port, { app: "other", service: "db", port: 5432 })
      const sentence = "port 5432 is already allocated to other/dev/db (id=1)"
      expectError(yield* ensure(server, top, "--service", "web,db=5432"), sentence)
      expect(yield* listed(server.port, "proj")).toEqual([])
      const ended = yield* ensure(server, top, "--service", "web,db=5432", "--json")
      expect(ended).toMatchObject({ code: 1, stderr: `error: ${sentence}\n` })
      expect(JSON.parse(ended.stdout)).toMatchObject({ error: expect.any(String), holder: { id: 1, port: 5432 } })
    })
  )

  it.scopedLive("with a port, a service that has another one gets that too, and from then on answers with it", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      expectAnswer(yield* ensure(server, top, "--service", "db"), "proj/main\ndb  3000\n")
      expect(yield* ensure(server, top, "--service", "db=5432", "--quiet")).toEqual({
        code: 0,
        signal: null,
        stdout: "5432\n",
        stderr: "note: proj/main/db has port 3000 (id=1) too; portctl release --id 1 gives it back\n"
      })
      expectAnswer(yield* ensure(server, top, "--service", "db=5432"), "proj/main\ndb  5432\n")
      expectAnswer(yield* ensure(server, top, "--service", "db=0", "--quiet"), "5432\n")
      expectAnswer(yield* ensure(server, top, "--service", "db=3000", "--quiet"), "3000\n")
      expectAnswer(yield* ensure(server, top, "--service", "db", "--quiet"), "5432\n")
    })
  )

  it.scopedLive("a clone of the same name gets an instance of its own, with one note, in all commands", () =>
    Effect.gen(function* () {
      const { clone, server, top } = yield* clones
      expectAnswer(yield* ensure(server, top, "--service", "web"), "proj/main\nweb  3000\n")
      expect(yield* ensure(server, clone, "--service", "web")).toMatchObject({
        code: 0,
        stdout: "proj/main-2\nweb  3001\n",
        stderr: `note: proj/main belongs to ${top}, so this folder is proj/main-2; portctl ensure --instance NAME gives it another one\n`
      })
      expectAnswer(yield* ensure(server, clone, "--service", "web,db"), "proj/main-2\nweb  3001\ndb   3002\n")
      const env = { PORTCTL_INSTANCE: "" }
      expectAnswer(yield* portctl(["env"], { server, cwd: clone, env }), "# proj/main-2\nWEB_PORT=3001\nDB_PORT=3002\n")
      expectAnswer(
        yield* portctl(["release", "--here"], { server, cwd: clone }),
        `released 2 allocation(s) of ${clone} (proj/main-2)\n`
      )
      expectAnswer(yield* ensure(server, clone, "--service", "web"), "proj/main-2\nweb  3001\n")
    })
  )

  it.scopedLive("an instance that is given is shared with who has it, and remembered; an app is not", () =>
    Effect.gen(function* () {
      const { clone, server, top } = yield* clones
      yield* ensure(server, top, "--service", "web")
      const shared = "proj/main\nweb  3000\ndb   3001\n"
      expectAnswer(yield* ensure(server, clone, "--service", "web,db", "--instance", "main"), shared)
      expectAnswer(yield* ensure(server, top, "--service", "web,db"), shared)
      expectAnswer(yield* ensure(server, clone, "--service", "web,db"), shared)
      const changed = yield* ensure(server, clone, "--service", "web", "--instance", "clone2")
      expect(changed).toMatchObject({
        code: 0,
        stdout: "proj/clone2\nweb  3002\n",
        stderr:
          "note: this folder was proj/main, and is proj/clone2 from now on; portctl ensure --instance main makes it that again\n"
      })
      expectAnswer(yield* ensure(server, clone, "--service", "web"), "proj/clone2\nweb  3002\n")
      expectAnswer(yield* ensure(server, clone, "--service", "web", "--app", "other"), "other/main\nweb  3003\n")
      expectAnswer(yield* ensure(server, clone, "--service", "web"), "proj/clone2\nweb  3002\n")
      const env = { PORTCTL_INSTANCE: "main" }
      expect(yield* portctl(["env"], { server, cwd: clone, env })).toMatchObject({
        stdout: "# proj/main\nWEB_PORT=3000\nDB_PORT=3001\n",
        stderr:
          "note: this folder was proj/clone2, and is proj/main from now on; portctl ensure --instance clone2 makes it that again\n"
      })
      expectAnswer(yield* ensure(server, clone, "--service", "web"), "proj/main\nweb  3000\n")
    })
  )

  it.scopedLive("a linked worktree whose folder is called main, and the main one, have ports of their own", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const tree = worktree(top, join(top, "../trees/main"))
      expectAnswer(yield* ensure(server, tree, "--service", "web"), "proj/main\nweb  3000\n")
      expect(yield* ensure(server, top, "--service", "web")).toMatchObject({
        stdout: "proj/main-2\nweb  3001\n",
        stderr: `note: proj/main belongs to ${tree}, so this folder is proj/main-2; portctl ensure --instance NAME gives it another one\n`
      })
    })
  )

  it.scopedLive("two clones that ask at the same time for different services never share a port", () =>
    Effect.gen(function* () {
      const { clone, server, top } = yield* clones
      for (let round = 0; round < 8; round++) {
        const app = ["--app", `round${round}`]
        const answers = yield* Effect.all(
          [ensure(server, top, ...app, "--service", "web"), ensure(server, clone, ...app, "--service", "db")],
          { concurrency: "unbounded" }
        )
        expect(answers.map(({ code }) => code)).toEqual([0, 0])
        expect(answers.map(({ stdout }) => stdout.split("\n")[0]).sort()).toEqual([
          `round${round}/main`,
          `round${round}/main-2`
        ])
        const again = yield* Effect.all(
          [top, clone].map((cwd) => ensure(server, cwd, ...app, "--service", "web,db", "--quiet")),
          { concurrency: "unbounded" }
        )
        expect(new Set(again.flatMap(({ stdout }) => stdout.trim().split("\n"))).size).toBe(4)
      }
    })
  )

  it.scopedLive("is one request, and one for what is on the ports", () =>
    Effect.gen(function* () {
      const allocation = { id: 1, app: "proj", instance: "main", service: "web", port: 3000, created_at: "now" }
      const body = JSON.stringify({ app: "proj", instance: "main", allocations: [allocation] })
      const { address, connections } = yield* answering("200 OK", body)
      const cwd = yield* temporaryRepository("proj")
      const args = ["ensure", "--service", "web"]
      expectAnswer(yield* portctl(args, { cwd, env: { PORT_SERVER_ADDR: address } }), "proj/main\nweb  3000\n")
      expect(connections()).toBe(2)
    })
  )

  it.scopedLive("a clone that takes the place of one that is gone gets its ports, once with a note", () =>
    Effect.gen(function* () {
      const { clone, server, top } = yield* clones
      yield* ensure(server, top, "--service", "web")
      rmSync(top, { recursive: true })
      const stdout = "proj/main\nweb  3000\n"
      const stderr = `note: took over the ports of ${top}, which is gone\n`
      expect(yield* ensure(server, clone, "--service", "web")).toMatchObject({ code: 0, stdout, stderr })
      expectAnswer(yield* ensure(server, clone, "--service", "web"), stdout)
    })
  )

  it.scopedLive("a clone that is moved and renamed keeps everything, once with a note", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      yield* ensure(server, top, "--service", "web")
      const moved = join(yield* realFolder, "renamed")
      renameSync(top, moved)
      expect(yield* ensure(server, moved, "--service", "web")).toMatchObject({
        stdout: "proj/main\nweb  3000\n",
        stderr: `note: ${top} was moved here; it keeps proj/main and its ports\n`
      })
      expect(yield* listed(server.port, "proj")).toMatchObject([{ path: moved }])
      expectAnswer(yield* ensure(server, moved, "--service", "web"), "proj/main\nweb  3000\n")
      renameSync(moved, `${moved}-again`)
      expect(yield* portctl(["release", "--here"], { server, cwd: `${moved}-again` })).toMatchObject({
        stdout: `released 1 allocation(s) of ${moved}-again (proj/main)\n`
      })
    })
  )

  it.scopedLive("calls at the same time agree within a worktree, and share nothing between worktrees", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const trees = [top, ...["a", "b", "c"].map((name) => worktree(top, join(top, "..", name)))]
      const answers = yield* Effect.forEach(
        [...trees, ...trees, ...trees],
        (cwd) => ensure(server, cwd, "--service", "web,db", "--json"),
        { concurrency: "unbounded" }
      )
      const ports = new Map<string, ReadonlyArray<number>>()
      for (const answer of answers) {
        expect(answer).toMatchObject({ code: 0, stderr: "" })
        const { allocations, instance } = decode(answer.stdout)
        const given = allocations.map(({ port }) => port)
        expect(ports.get(instance) ?? given).toEqual(given)
        ports.set(instance, given)
      }
      expect([...ports.keys()].sort()).toEqual(["a", "b", "c", "main"])
      expect(new Set([...ports.values()].flat()).size).toBe(8)
    })
  )

  it.scopedLive("takes names with spaces around them for the names", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const top = yield* temporaryRepository("proj")
      expectAnswer(yield* ensure(server, top, "--service", " web, db "), "proj/main\nweb  3000\ndb   3001\n")
      const { stdout } = yield* portctl(["verify", "--json", "--service", "db , web"], { server, cwd: top })
      expect(JSON.parse(stdout)).toMatchObject([{ service: "db" }, { service: "web" }])
    })
  )

  it.scopedLive("a port of a service that runs is still its port", () =>
    Effect.gen(function* () {
      const server = yield* startServer({ probe: true })
      const top = yield* temporaryRepository("proj")
      const { port } = yield* listeningProgram({ cwd: top })
      expectAnswer(yield* ensure(server, top, "--quiet", "--service", `web=${port}`), `${port}\n`)
      expectAnswer(yield* ensure(server, top, "--quiet", "--service", "web"), `${port}\n`)
    })
  )
})

describe.concurrent("a command line that ensure cannot follow", () => {
  const refused: ReadonlyArray<readonly [args: ReadonlyArray<string>, wrong: RegExp]> = [
    [["--service"], /--service needs a value/],
    [["--service", ""], /service must not be blank/],
    [["--service", "web,,db"], /service must not be blank/],
    [["--service", "web", "--service", ""], /service must not be blank/],
    [["--service", "web="], /port must be an integer/],
    [["--service", "web=70000"], /port must be an integer/],
    [["--service", "web=-1"], /port must be an integer/],
    [["--service", "web=3000=1"], /port must be an integer/],
    [["--service", "web,web"], /service "web" is asked for twice/],
    [["--service", "a=4000,b=4000"], /port 4000 is asked for twice/],
    [["--service", "a\u0007b"], /service must not contain control/],
    [["--service", "x".repeat(256)], /service must be at most 255 characters/],
    [["--service", "web", "--app", ""], /app must not be blank/],
    [["--service", "web", "--instance", " "], /instance must not be blank/],
    [["--service", "web", "--json", "--quiet"], /--json and --quiet exclude each other/],
    [["--service", "web", "--app", "a", "--app", "b"], /--app was given twice/],
    [["web"], /unexpected argument "web"/],
    [["--", "web"], /unexpected argument "web"/]
  ]
  for (const [args, wrong] of refused) {
    it.scopedLive(`refuses ${JSON.stringify(args).slice(0, 60)}, and sends nothing`, () =>
      Effect.gen(function* () {
        const { address, connections } = yield* listener()
        const ended = yield* portctl(["ensure", ...args], {
          env: { PORT_SERVER_ADDR: address },
          cwd: yield* realFolder
        })
        expectUsageError(ended, wrong, "portctl ensure")
        expect(connections()).toBe(0)
      })
    )
  }
})

describe.concurrent("portctl.json", () => {
  const write = (folder: string, contents: unknown) =>
    writeFileSync(join(folder, "portctl.json"), typeof contents === "string" ? contents : JSON.stringify(contents))

  it.scopedLive("says which services there are and which ports they prefer, from every folder below it", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      write(top, { services: { web: { env: "PORT", prefer: 4000 }, db: {} } })
      const inner = join(top, "a/b")
      mkdirSync(inner, { recursive: true })
      expectAnswer(yield* ensure(server, inner), "proj/main\nweb  4000\ndb   3000\n")
      const tree = worktree(top, join(top, "../second"))
      write(tree, { services: { web: { prefer: 4000 } } })
      expect(yield* ensure(server, tree)).toMatchObject({
        stdout: "proj/second\nweb  3001\n",
        stderr: "note: web prefers port 4000 and has 3001: 4000 belongs to proj/main/web (id=1)\n"
      })
      expectAnswer(yield* ensure(server, tree), "proj/second\nweb  3001\n")
    })
  )

  it.scopedLive("a service named on the command line gets what the file prefers, and is the only one", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      write(top, { services: { web: { prefer: 4000 }, db: {} } })
      expectAnswer(yield* ensure(server, top, "--service", "web"), "proj/main\nweb  4000\n")
      expect(yield* ensure(server, top, "--service", "web=4001")).toMatchObject({ stdout: "proj/main\nweb  4001\n" })
    })
  )

  it.scopedLive("in a folder above a repository, it goes for every worktree below", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      write(join(top, ".."), { app: "shared", services: { web: {} } })
      expectAnswer(yield* ensure(server, top), "shared/main\nweb  3000\n")
      expectAnswer(yield* ensure(server, worktree(top, join(top, "../two"))), "shared/two\nweb  3001\n")
    })
  )

  it.scopedLive.skipIf(process.getuid?.() !== 0)("of another user counts inside a working copy, and not above it", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const above = join(top, "../portctl.json")
      // Even one that is wrong: every user may write into a folder such as /tmp.
      writeFileSync(above, "{")
      chownSync(above, 65534, 65534)
      const note = `note: ${above} is another user's, and is not used\n`
      expect(yield* ensure(server, top)).toMatchObject({ code: 0, stdout: "proj/main\nweb  3000\n", stderr: note })
      // By sudo, the user who called it is not another one.
      const sudo = yield* portctl(["ensure"], { server, cwd: top, env: { SUDO_UID: "65534", SUDO_USER: "nobody" } })
      expect(sudo.stderr).toMatch(`${above}:1:2 is not JSON: `)
      write(top, { services: { api: {} } })
      chownSync(join(top, "portctl.json"), 65534, 65534)
      expectAnswer(yield* ensure(server, top), "proj/main\napi  3001\n")
    })
  )

  it.scopedLive("without one and without --service, it is web, or what the working copy has", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      expectAnswer(yield* ensure(server, top), "proj/main\nweb  3000\n")
      expectAnswer(yield* ensure(server, top, "--service", "db", "--quiet"), "3001\n")
      expectAnswer(yield* ensure(server, top, "--quiet"), "3000\n3001\n")
      const tree = worktree(top, join(top, "../tree"))
      expectAnswer(yield* ensure(server, tree, "--service", "mail", "--quiet"), "3002\n")
      expectAnswer(yield* ensure(server, tree), "proj/tree\nmail  3002\n")
    })
  )

  const bad: ReadonlyArray<readonly [name: string, contents: string | Uint8Array, wrong: RegExp]> = [
    ["empty", "", /json:1:1 is not JSON: Unexpected end of JSON input$/m],
    ["not whole", '{"services":\n  {"web": {}', /json:2:13 is not JSON: Expected ',' or '}' after property value$/m],
    ["with a comment", '{\n  // x\n"services": {"web": {}}}', /json:2:3 is not JSON: Expected property name or '}'$/m],
    ["with a comment before it", '\n// x\n{"services": {"web": {}}}', /json:2:1 is not JSON: Unexpected token '\/'$/m],
    ["with a bare word", '{"services": {\r\n"web": {"env": PORT}}}', /json:2:16 is not JSON: Unexpected token 'P'$/m],
    [
      "with a comma too many",
      '{"services": {"web": {},\n}}',
      /json:2:1 is not JSON: Expected double-quoted property name$/m
    ],
    ["with two documents", "{}\n{}", /json:2:1 is not JSON: Unexpected non-whitespace character after JSON$/m],
    [
      "with __proto__ for a service",
      '{"services": {"__proto__": {}}}',
      /"__proto__" cannot be a name in portctl\.json$/m
    ],
    [
      "with a service twice, as a merge leaves it",
      '{\n  "services": {\n    "web": {"prefer": 3000},\n    "w\\u0065b": {"prefer": 4000}\n  }\n}',
      /json:4:5 has the key "web" for the second time; keep one of them$/m
    ],
    [
      "with its services twice",
      '{"services": {"web": {}},\r\n "services": {"api": {}}}',
      /json:2:2 has the key "services" for the second time; keep one of them$/m
    ],
    [
      "with a field of a service twice",
      '{"services": {"web": {"env": ["{\\":", "A"], "env": "B"}}}',
      /json:1:45 has the key "env" for the second time; keep one of them$/m
    ],
    ["with a byte order mark", '\ufeff{"services": {"web": {}}}', /byte order mark/],
    ["not UTF-8", new Uint8Array([0x7b, 0xff, 0x7d]), /is not UTF-8 text/],
    ["a list", "[]", /must be an object/],
    ["null", "null", /must be an object/],
    ["without services", "{}", /services is missing/],
    ["with no service", '{"services": {}}', /services must name one at least/],
    ["with a list of services", '{"services": ["web"]}', /services must be an object/],
    [
      "with an unknown field",
      '{"srvices": {}, "services": {"web": {}}}',
      /unknown field "srvices", did you mean "services"\?/
    ],
    [
      "with an unknown field of a service",
      '{"services": {"web": {"prot": 1}}}',
      /services\.web: unknown field "prot"\n/
    ],
    [
      "with a misspelt field of a service",
      '{"services": {"web": {"prefered": 1}}}',
      /unknown field "prefered", did you mean "prefer"\?/
    ],
    ["with an exact port", '{"services": {"web": {"port": 1}}}', /services\.web: unknown field "port"/],
    ["with a text for a service", '{"services": {"web": "PORT"}}', /services\.web: must be an object/],
    [
      "with a preference that is no port",
      '{"services": {"web": {"prefer": 0}}}',
      /services\.web\.prefer.*from 1 to 65535/
    ],
    [
      "with a variable that no shell can set",
      '{"services": {"web": {"env": "MY-PORT"}}}',
      /services\.web\.env.*variable/
    ],
    ["with one variable twice", '{"services": {"a": {"env": "P"}, "b": {"env": "P"}}}', /"a" and "b".*variable P/],
    ["with a made variable twice", '{"services": {"a": {"env": "B_PORT"}, "b": {}}}', /"a" and "b".*variable B_PORT/],
    ["with a blank app", '{"app": " ", "services": {"web": {}}}', /app must not be blank/],
    ["with a blank service", '{"services": {"": {}}}', /service must not be blank/],
    ["with a control character in a name", '{"services": {"a\\u0007": {}}}', /service must not contain control/]
  ]
  for (const [name, contents, wrong] of bad) {
    it.scopedLive(`one that is ${name} is refused in a sentence that names the file, and nothing is sent`, () =>
      Effect.gen(function* () {
        const { address, connections } = yield* listener()
        const folder = yield* realFolder
        const file = join(folder, "portctl.json")
        writeFileSync(file, contents)
        const ended = yield* portctl(["ensure", "--service", "web"], {
          env: { PORT_SERVER_ADDR: address },
          cwd: folder
        })
        expectError(ended, ended.stderr.slice("error: ".length, -1))
        expect(ended.stderr.startsWith(`error: ${file}`), ended.stderr).toBe(true)
        expect(ended.stderr).toMatch(wrong)
        expect(connections()).toBe(0)
      })
    )
  }

  it.scopedLive("a folder, a pipe or a link to nowhere of that name is refused, and does not hang", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const file = join(top, "portctl.json")
      mkdirSync(file)
      expectError(yield* ensure(server, top), `cannot read ${JSON.stringify(file)}: it is a folder`)
      rmSync(file, { recursive: true })
      execFileSync("mkfifo", [file])
      expectError(yield* ensure(server, top), `${file} is not a file`)
      rmSync(file)
      writeFileSync(file, " ".repeat(1024 * 1024 + 1))
      expectError(yield* ensure(server, top), `${file} is larger than 1 MiB`)
      rmSync(file)
      execFileSync("ln", ["-s", "portctl.json", file])
      expectError(yield* ensure(server, top), `cannot read ${JSON.stringify(file)}: it is a link that leads nowhere`)
      rmSync(file)
      execFileSync("ln", ["-s", "nowhere", file])
      mkdirSync(join(top, "src"))
      expectError(
        yield* ensure(server, join(top, "src"), "--service", "web"),
        `cannot read ${JSON.stringify(file)}: it is a link that leads nowhere`
      )
    })
  )
})
