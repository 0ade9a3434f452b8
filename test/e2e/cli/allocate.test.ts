import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectError, expectGranted, expectUsageError } from "../../support/Expectations.ts"
import { freePorts } from "../../support/Listening.ts"
import { portctl, startServer } from "../../support/Programs.ts"
import { listener } from "../../support/Sockets.ts"
import { call } from "../../support/Wire.ts"

const owner = ["--app", "myapp", "--instance", "dev", "--service", "postgres"] as const

it.scopedLive("hands out the first free port, or exactly the one that is asked for", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const free = yield* freePorts(1)
    const allocate = (...args: ReadonlyArray<string>) => portctl(["allocate", ...args], { server })
    expectAnswer(yield* allocate(...owner), "allocated port 3000 (id=1) for myapp/dev/postgres\n")
    expectAnswer(
      yield* allocate(...owner, "--port", String(free)),
      `allocated port ${free} (id=2) for myapp/dev/postgres\n`
    )
    expectAnswer(yield* allocate(...owner, "--port", "0"), "allocated port 3001 (id=3) for myapp/dev/postgres\n")
    expectGranted(yield* allocate(...owner, "--port=1"), "allocated port 1 (id=4) for myapp/dev/postgres\n", 1)
    expectGranted(
      yield* allocate(...owner, "--port=65535"),
      "allocated port 65535 (id=5) for myapp/dev/postgres\n",
      65535
    )
    expectAnswer(
      yield* allocate("--service=a b", "--app=-x", "--instance=é/日本"),
      "allocated port 3002 (id=6) for -x/é/日本/a b\n"
    )
    expect((yield* call(server.port, "GET", "/v1/allocations?app=-x")).json).toMatchObject([
      { id: 6, app: "-x", instance: "é/日本", service: "a b", port: 3002 }
    ])
  })
)

it.scopedLive("--quiet prints the port alone, --json the API's body", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const allocate = (...args: ReadonlyArray<string>) => portctl(["allocate", ...owner, ...args], { server })
    const port = yield* freePorts(1)
    expectAnswer(yield* allocate("--quiet"), "3000\n")
    const json = yield* allocate("--json", "--port", String(port))
    expect(json).toMatchObject({ code: 0, stderr: "" })
    const [held] = (yield* call(server.port, "GET", `/v1/ports/${port}`)).body.match(/\{"id".*\}(?=\})/) ?? []
    expect(json.stdout).toBe(`${held}\n`)
    expect(JSON.parse(json.stdout)).toEqual({
      id: 2,
      app: "myapp",
      instance: "dev",
      service: "postgres",
      port,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    })
  })
)

it.scopedLive("names the holder of a port that is taken", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const held = yield* call(server.port, "POST", "/v1/allocations", {
      app: "other",
      instance: "dev",
      service: "db",
      port: 5432
    })
    const allocate = (...args: ReadonlyArray<string>) =>
      portctl(["allocate", ...owner, "--port", "5432", ...args], { server })
    const sentence = "port 5432 is already allocated to other/dev/db (id=1)"
    expectError(yield* allocate(), sentence)
    expectError(yield* allocate("--quiet"), sentence)
    expectError(
      yield* allocate("--json"),
      sentence,
      `${JSON.stringify({ error: "port already allocated", holder: held.json })}\n`
    )
    expect((yield* call(server.port, "GET", "/v1/allocations")).json).toEqual([held.json])
  })
)

it.scopedLive("says that the range is exhausted", () =>
  Effect.gen(function* () {
    const server = yield* startServer({ args: ["--range", "4000-4001"] })
    const allocate = (...args: ReadonlyArray<string>) => portctl(["allocate", ...owner, ...args], { server })
    expectAnswer(yield* allocate(), "allocated port 4000 (id=1) for myapp/dev/postgres\n")
    expectAnswer(yield* allocate(), "allocated port 4001 (id=2) for myapp/dev/postgres\n")
    const sentence = "no free ports in range 4000-4001"
    expectError(yield* allocate(), sentence)
    expectError(yield* allocate("--json"), sentence, `{"error":"${sentence}"}\n`)
  })
)

const required = /app, instance, and service are required/
const port = /port must be an integer from 1 to 65535/
const refused: ReadonlyArray<readonly [name: string, args: ReadonlyArray<string>, wrong: RegExp]> = [
  ["no flags", [], /--app/],
  ["no --app", ["--instance", "b", "--service", "c"], /--app/],
  ["no --instance", ["--app", "a", "--service", "c"], /--instance/],
  ["no --service", ["--app", "a", "--instance", "b"], /--service/],
  ["an empty app", ["--app", "", "--instance", "b", "--service", "c"], required],
  ["an empty app after =", ["--app=", "--instance", "b", "--service", "c"], /app/],
  ["a blank instance", ["--app", "a", "--instance", "  ", "--service", "c"], required],
  ["a blank service", ["--app", "a", "--instance", "b", "--service", "\t"], required],
  ["a control character", ["--app", "a\u001b[31m", "--instance", "b", "--service", "c"], /app must not contain/],
  ["a direction override", ["--app", "a", "--instance", "\u202eb", "--service", "c"], /instance must not contain/],
  ["256 characters", ["--app", "a", "--instance", "b", "--service", "c".repeat(256)], /service .*255/],
  ["--json and --quiet", [...owner, "--json", "--quiet"], /--json and --quiet/],
  ...["-1", "65536", "abc", "", "1.5", "1e3", " 80", "080"].map(
    (value) => [`--port ${JSON.stringify(value)}`, [...owner, "--port", value], port] as const
  ),
  ["--port= without a value", [...owner, "--port="], /option --port needs a value/]
]

describe.concurrent("a command line that allocate cannot follow", () => {
  for (const [name, args, wrong] of refused) {
    it.scopedLive(`refuses ${name}, and sends nothing`, () =>
      Effect.gen(function* () {
        const { address, connections } = yield* listener()
        const ended = yield* portctl(["allocate", ...args], { env: { PORT_SERVER_ADDR: address } })
        expectUsageError(ended, wrong, "portctl allocate")
        expect(connections()).toBe(0)
      })
    )
  }
})
