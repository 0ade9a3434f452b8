import { execFileSync } from "node:child_process"
import { mkdirSync, realpathSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, listed } from "../../support/Api.ts"
import { expectAnswer, expectError, expectUsageError } from "../../support/Expectations.ts"
import { type PortServer, portctl, startServer, temporaryFolder } from "../../support/Programs.ts"
import { listener } from "../../support/Sockets.ts"
import { call } from "../../support/Wire.ts"

const rows = [
  ["shop", "dev", "web", 3000],
  ["shop", "dev", "db", 3001],
  ["shop", "test", "web", 3002],
  ["blog", "dev", "web", 3003],
  ["blog", "dev", "db", 3004]
] as const

const filled = Effect.gen(function* () {
  const server = yield* startServer()
  yield* Effect.forEach(rows, ([app, instance, service, port]) =>
    call(server.port, "POST", "/v1/allocations", { app, instance, service, port })
  )
  return server
})

const ports = (server: PortServer) =>
  Effect.map(call(server.port, "GET", "/v1/allocations"), ({ body }) =>
    [...body.matchAll(/"port":(\d+)/g)].map(([, digits]) => Number(digits))
  )

it.scopedLive("releases one by its id, once", () =>
  Effect.gen(function* () {
    const server = yield* filled
    const release = (...args: ReadonlyArray<string>) => portctl(["release", ...args], { server })
    expectAnswer(yield* release("--id", "1"), "released allocation 1\n")
    expect(yield* ports(server)).toEqual([3001, 3002, 3003, 3004])
    expectError(yield* release("--id", "1"), "allocation 1 not found")
    expectError(yield* release("--id", "7"), "allocation 7 not found")
    expectError(yield* release("--id", "7", "--json"), "allocation 7 not found", '{"error":"allocation not found"}\n')
    expectAnswer(yield* release("--id=2", "--json"), '{"status":"deleted"}\n')
    expect(yield* ports(server)).toEqual([3002, 3003, 3004])
  })
)

it.scopedLive("releases what matches every filter", () =>
  Effect.gen(function* () {
    const server = yield* filled
    const release = (...args: ReadonlyArray<string>) => portctl(["release", ...args], { server })
    expectAnswer(yield* release("--app", "shop", "--port", "3003"), "released 0 allocation(s)\n")
    expectAnswer(yield* release("--app", "nobody"), "released 0 allocation(s)\n")
    expectAnswer(yield* release("--app", "Shop"), "released 0 allocation(s)\n")
    expectAnswer(yield* release("--app", "nobody", "--json"), '{"deleted":0}\n')
    expect(yield* ports(server)).toEqual([3000, 3001, 3002, 3003, 3004])
    expectAnswer(
      yield* release("--app", "shop", "--instance", "dev", "--service", "db", "--port", "3001"),
      "released 1 allocation(s)\n"
    )
    expectAnswer(yield* release("--app", "shop", "--service", "web"), "released 2 allocation(s)\n")
    expect(yield* ports(server)).toEqual([3003, 3004])
    expectAnswer(yield* release("--port", "3003"), "released 1 allocation(s)\n")
    expectAnswer(yield* release("--app", "blog", "--json"), '{"deleted":1}\n')
    expect(yield* ports(server)).toEqual([])
  })
)

const refused: ReadonlyArray<readonly [args: ReadonlyArray<string>, wrong: RegExp]> = [
  [[], /--id.*--app.*--port/],
  [["--json"], /--id.*--app.*--port/],
  [["--instance", "dev"], /--app.*--port/],
  [["--service", "web"], /--app.*--port/],
  [["--instance", "dev", "--service", "web"], /--app.*--port/],
  [["--app", ""], /--app.*--port/],
  [["--app", "shop", "--instance", ""], /option --instance needs a value/],
  [["--app", "", "--port", "3000"], /option --app needs a value/],
  [["--here", "--service", ""], /option --service needs a value/],
  [["--port", "0"], /port/],
  [["--id", "1", "--app", "shop"], /--id/],
  [["--id", "1", "--instance", "dev"], /--id/],
  [["--id", "1", "--service", "web"], /--id/],
  [["--id", "1", "--port", "3000"], /--id/],
  ...["0", "-1", "abc", "", "1.5", "01", "9007199254740993"].map((id) => [["--id", id], /id/] as const),
  [["--id=-1"], /id/],
  [["--id", "0", "--app", "shop"], /id/],
  ...["-1", "65536", "abc", "1.5"].map((port) => [["--port", port], /port must be/] as const),
  [["--app", "shop", "--port", "65536"], /port must be/]
]

describe.concurrent("a command line that release cannot follow", () => {
  for (const [args, wrong] of refused) {
    it.scopedLive(`refuses ${JSON.stringify(args)}, and sends nothing`, () =>
      Effect.gen(function* () {
        const { address, connections } = yield* listener()
        const ended = yield* portctl(["release", ...args], { env: { PORT_SERVER_ADDR: address } })
        expectUsageError(ended, wrong, "portctl release")
        expect(connections()).toBe(0)
      })
    )
  }
})

describe.concurrent("portctl release --here", () => {
  const git = (cwd: string, ...args: ReadonlyArray<string>) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false", ...args], { cwd })

  it.scopedLive("releases what was ensured for the current worktree, and nothing of another one", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const folder = realpathSync(yield* temporaryFolder)
      const [main, feature] = [join(folder, "shop"), join(folder, "feature")]
      git(folder, "init", "-q", "shop")
      git(main, "commit", "-q", "--allow-empty", "-m", "first")
      git(main, "worktree", "add", "-q", "../feature")
      for (const cwd of [main, feature]) yield* portctl(["ensure", "--service", "web,db"], { server, cwd })
      yield* allocate(server.port, { app: "shop", instance: "feature" })
      mkdirSync(join(feature, "src"))
      const run = (...args: ReadonlyArray<string>) => portctl(args, { server, cwd: join(feature, "src") })
      expectAnswer(yield* run("release", "--here"), `released 2 allocation(s) of ${feature} (shop/feature)\n`)
      expect(yield* listed(server.port, "shop")).toMatchObject([
        { instance: "main", service: "web" },
        { instance: "main", service: "db" },
        { instance: "feature", service: "web" }
      ])
      expectAnswer(yield* run("release", "--here", "--json"), '{"deleted":0}\n')
    })
  )

  it.scopedLive("releases services of a list, as ensure takes it", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const cwd = realpathSync(yield* temporaryFolder)
      const run = (...args: ReadonlyArray<string>) => portctl(args, { server, cwd })
      yield* run("ensure", "--app", "shop", "--instance", "main", "--service", "web,db,mail,queue")
      const told = (count: number) => `released ${count} allocation(s) of ${cwd} (shop/main)\n`
      expectAnswer(yield* run("release", "--here", "--service", "web, db"), told(2))
      expectAnswer(yield* run("release", "--here", "--service", "mail,"), told(1))
      expectUsageError(yield* run("release", "--here", "--service", ","), /names no service/, "portctl release")
      expect(yield* run("release", "--here", "--service", "qeue,db")).toEqual({
        code: 0,
        signal: null,
        stdout: told(0),
        stderr: "note: this working copy had no port for qeue, db, but for queue\n"
      })
      expect(yield* listed(server.port, "shop")).toMatchObject([{ service: "queue" }])
      expect(yield* run("release", "--app", "shop", "--service", "queue,web")).toMatchObject({
        code: 0,
        stdout: "released 0 allocation(s)\n",
        stderr: "note: with filters --service is one service, whose name may have commas\n"
      })
    })
  )

  it.scopedLive("names the instances that it released of, and leaves what the instance has of another folder", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const folder = realpathSync(yield* temporaryFolder)
      const [one, two] = [join(folder, "one/shop"), join(folder, "two/shop")]
      for (const top of [one, two]) {
        mkdirSync(top, { recursive: true })
        git(top, "init", "-q")
      }
      const run = (cwd: string, ...args: ReadonlyArray<string>) => portctl(args, { server, cwd })
      yield* run(one, "ensure", "--service", "web")
      yield* run(two, "ensure", "--service", "web,db", "--instance", "main")
      yield* run(two, "ensure", "--service", "web", "--instance", "second")
      expect(yield* run(two, "release", "--here")).toEqual({
        code: 0,
        signal: null,
        stdout: `released 2 allocation(s) of ${two} (shop/main, shop/second)\n`,
        stderr: ""
      })
      yield* run(two, "ensure", "--service", "web,db", "--instance", "main")
      expect(yield* run(two, "release", "--here")).toMatchObject({
        stdout: `released 1 allocation(s) of ${two} (shop/main)\n`,
        stderr: `note: shop/main has ports of ${one} too; they stay\n`
      })
      expect(yield* listed(server.port, "shop")).toMatchObject([{ instance: "main", service: "web", path: one }])
      expectAnswer(yield* run(one, "release", "--here"), `released 1 allocation(s) of ${one} (shop/main)\n`)
    })
  )

  it.scopedLive("goes with no other choice", () =>
    Effect.gen(function* () {
      const { address, connections } = yield* listener()
      for (const other of [
        ["--id", "1"],
        ["--app", "shop"],
        ["--port", "80"]
      ]) {
        const ended = yield* portctl(["release", "--here", ...other], { env: { PORT_SERVER_ADDR: address } })
        expectUsageError(ended, /--here takes no --id, and no filter but --service/, "portctl release")
      }
      expect(connections()).toBe(0)
    })
  )
})
