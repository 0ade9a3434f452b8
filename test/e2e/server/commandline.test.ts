import { existsSync, readdirSync } from "node:fs"
import { realpath } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectClean, expectUsageError } from "../../support/Expectations.ts"
import { freePorts } from "../../support/Listening.ts"
import { bin, start, startServer, temporaryFolder } from "../../support/Programs.ts"
import { closedAddress } from "../../support/Sockets.ts"
import { call } from "../../support/Wire.ts"

const listening = /^port-server listening on http:\/\/127\.0\.0\.1:(\d+), database (.+), range (\d+-\d+)\n$/
const owner = { app: "a", instance: "b", service: "c" }

/** Start port-server in a home of its own, with nothing but what is given, and take its line apart. */
const serving = (
  args: ReadonlyArray<string>,
  options: { readonly env?: Readonly<Record<string, string>>; readonly home?: string } = {}
) =>
  Effect.gen(function* () {
    const home = options.home ?? (yield* temporaryFolder)
    const running = yield* start(bin.portServer, args, { env: { HOME: home, ...options.env }, cwd: home })
    const [, port, database, range] = yield* running.printed(listening)
    return { running, home, port: Number(port), database, range }
  })

it.scopedLive("logs one line with the address, the database and the range, and nothing else while it works", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    yield* call(server.port, "POST", "/v1/allocations", owner)
    yield* call(server.port, "POST", "/v1/allocations", "{")
    server.process.kill("SIGTERM")
    const ended = yield* server.ended
    expect(ended).toMatchObject({
      code: 0,
      stdout: `port-server listening on ${server.url}, database ${server.database}, range 3000-9999\n`,
      stderr: ""
    })
    expectClean(ended)
  })
)

it.scopedLive("takes the port, the database and the range from its flags", () =>
  Effect.gen(function* () {
    const free = Number((yield* closedAddress).split(":")[1])
    const first = yield* freePorts(2)
    const range = `${first}-${first + 1}`
    const taken = yield* serving(["--port=0", "--db", "own.db", `--range=${range}`])
    expect(taken).toMatchObject({ database: join(yield* real(taken.home), "own.db"), range })
    expect(taken.port).not.toBe(free)
    expect((yield* call(taken.port, "POST", "/v1/allocations", owner)).json).toMatchObject({ port: first })
  })
)

const real = (path: string) => Effect.promise(() => realpath(path))

it.scopedLive("listens on exactly the port that is asked for, again after a stop", () =>
  Effect.gen(function* () {
    const home = yield* temporaryFolder
    const first = yield* serving(["--port", "0"], { home })
    first.running.process.kill("SIGTERM")
    expect((yield* first.running.ended).code).toBe(0)
    const again = yield* serving(["--port", String(first.port)], { home })
    expect(again.port).toBe(first.port)
    expect((yield* call(again.port, "GET", "/healthz")).json).toEqual({ status: "ok" })
  })
)

it.scopedLive("takes them from the environment, and a flag wins over it", () =>
  Effect.gen(function* () {
    const home = yield* temporaryFolder
    const first = yield* freePorts(2)
    const range = `${first}-${first + 1}`
    const env = { PORT_SERVER_PORT: "0", PORT_SERVER_DB: join(home, "env.db"), PORT_SERVER_RANGE: range }
    const fromEnv = yield* serving([], { env, home })
    expect(fromEnv).toMatchObject({ database: env.PORT_SERVER_DB, range })
    expect((yield* call(fromEnv.port, "POST", "/v1/allocations", owner)).json).toMatchObject({ port: first })
    const flags = ["--port", "0", "--db", join(home, "flag.db"), "--range", "22000-22000"]
    // With a port in the environment that is taken, the flag has to win.
    const fromFlags = yield* serving(flags, { env: { ...env, PORT_SERVER_PORT: String(fromEnv.port) }, home })
    expect(fromFlags).toMatchObject({ database: join(home, "flag.db"), range: "22000-22000" })
    expect(fromFlags.port).not.toBe(fromEnv.port)
    // What the environment says is not even read where a flag was given.
    yield* serving(["--port", "0", "--range", "1-2"], {
      env: { PORT_SERVER_PORT: "abc", PORT_SERVER_RANGE: "abc" },
      home
    })
  })
)

it.scopedLive("every --port 0 is another port", () =>
  Effect.gen(function* () {
    const [one, other] = yield* Effect.all([serving(["--port", "0"]), serving(["--port", "0"])], { concurrency: 2 })
    expect(one.port).not.toBe(other.port)
    expect((yield* call(one.port, "GET", "/healthz")).status).toBe(200)
    expect((yield* call(other.port, "GET", "/healthz")).status).toBe(200)
  })
)

/** Run port-server where it has to refuse; whatever it would write lands in a folder that has to stay empty. */
const refusedBy = (args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const home = yield* temporaryFolder
    const running = yield* start(bin.portServer, args, { env: { HOME: home }, cwd: home })
    const ended = yield* running.ended
    expect(readdirSync(home)).toEqual([])
    return ended
  })

const badPorts = ["abc", "-1", "65536", "1.5", "080"]
const badRanges = ["5-1", "3000", "0-5", "3000-65536", "a-b", "-3000-9999", "3000-9999-1", "3000..9999"]
const refused: ReadonlyArray<readonly [args: ReadonlyArray<string>, wrong: RegExp]> = [
  ...badPorts.map((port) => [["--port", port], /port must be an integer/] as const),
  ...badRanges.map((range) => [["--port", "0", "--range", range], /range must be .*3000-9999/] as const),
  [["stray"], /"stray"/],
  [["--port", "0", "stray"], /"stray"/],
  [["--bogus"], /--bogus/],
  [["-p", "3000"], /-p/],
  [["--port"], /--port.*value/],
  [["--db", "--range", "1-2"], /--db.*value/],
  [["--port", "0", "--db", "./new/"], /the database file must not be a folder/],
  [["--port", "0", "--port", "1"], /--port.*twice/],
  [["--port="], /port must be an integer|--port.*value/],
  [["--completions", "tcsh"], /bash.*zsh.*fish/]
]

describe.concurrent("a command line that port-server cannot follow", () => {
  for (const [args, wrong] of refused) {
    it.scopedLive(`refuses ${JSON.stringify(args)}, and touches nothing`, () =>
      Effect.gen(function* () {
        expectUsageError(yield* refusedBy(args), wrong, "port-server")
      })
    )
  }

  const badEnvironment = [
    ["PORT_SERVER_PORT", "abc"],
    ["PORT_SERVER_PORT", "65536"],
    ["PORT_SERVER_RANGE", "9-1"],
    ["PORT_SERVER_DB", "./new/"]
  ] as const

  for (const [name, value] of badEnvironment) {
    it.scopedLive(`refuses ${name}=${value} in one line that names it, and makes no database`, () =>
      Effect.gen(function* () {
        const home = yield* temporaryFolder
        const args = name === "PORT_SERVER_PORT" ? [] : ["--port", "0"]
        const running = yield* start(bin.portServer, args, { env: { HOME: home, [name]: value } })
        const ended = yield* running.ended
        expect(ended).toMatchObject({ code: 1, stdout: "" })
        expect(ended.stderr).toMatch(new RegExp(`^error: .*${name}.*\n$`))
        expect(existsSync(join(home, ".port_server/ports.db"))).toBe(false)
        expectClean(ended)
      })
    )
  }
})
