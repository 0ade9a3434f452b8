import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectError, expectUsageError } from "../../support/Expectations.ts"
import { portctl, temporaryFolder } from "../../support/Programs.ts"
import { listener } from "../../support/Sockets.ts"

const owner = ["--app", "a", "--instance", "b", "--service", "c"] as const

const refused: ReadonlyArray<readonly [args: ReadonlyArray<string>, wrong: RegExp, usage: string]> = [
  [["lst"], /unknown command "lst", did you mean "list"\?/, "portctl"],
  [["alloc"], /unknown command "alloc", did you mean "allocate"\?/, "portctl"],
  [["chekc"], /unknown command "chekc", did you mean "check"\?/, "portctl"],
  [["deallocate"], /unknown command "deallocate", did you mean "allocate"\?/, "portctl"],
  [["banana"], /unknown command "banana" \(/, "portctl"],
  [["x".repeat(10_000)], /unknown command "x/, "portctl"],
  [["LIST"], /unknown command "LIST"/, "portctl"],
  [["lst", "--json"], /unknown command "lst"/, "portctl"],
  [[""], /command/, "portctl"],
  [["--jsn"], /--jsn/, "portctl"],
  [["--json", "list"], /--json/, "portctl"],
  [["--wizard"], /--wizard/, "portctl"],
  [["--log-level", "debug", "list"], /--log-level/, "portctl"],
  [["--completions"], /--completions/, "portctl"],
  [["list", "--bogus"], /--bogus/, "portctl list"],
  [["get", "--service", "web"], /unknown option --service: SERVICE is given without it/, "portctl get"],
  [["list", "--apps", "x"], /--apps, did you mean --app\?/, "portctl list"],
  [["list", "--serivce", "x"], /--serivce, did you mean --service\?/, "portctl list"],
  [["list", "--banana"], /--banana$/, "portctl list"],
  [["list", "--APP", "x"], /--APP/, "portctl list"],
  [["list", "--no-json"], /--no-json/, "portctl list"],
  [["list", "--port", "3000"], /--port/, "portctl list"],
  [["list", "-j"], /unknown option -j, did you mean --json\?$/, "portctl list"],
  [["log", "-f"], /unknown option -f, did you mean --follow\?$/, "portctl log"],
  [["list", "--app"], /--app.*value/, "portctl list"],
  [["list", "--app", "--json"], /--app.*value/, "portctl list"],
  [["list", "--app", "x", "--app", "y"], /--app.*twice/, "portctl list"],
  [["list", "--app=x", "--app", "y"], /--app.*twice/, "portctl list"],
  [["list", "--json", "--json"], /--json.*twice/, "portctl list"],
  [["list", "--json=true"], /--json.*value/, "portctl list"],
  [["list", "stray"], /"stray"/, "portctl list"],
  [["list", "--", "--json"], /unexpected argument "--json": options go before --$/, "portctl list"],
  [
    ["get", "web", "db"],
    /unexpected argument "db": portctl get takes one SERVICE \(several: portctl ensure --service web,db\)$/,
    "portctl get"
  ],
  [
    ["get", "web", "my db", "--app", "x"],
    /: portctl get takes one SERVICE \(several: portctl ensure --service 'web,my db'\)$/,
    "portctl get"
  ],
  [["get", "web", "json"], /unexpected argument "json", did you mean --json\?$/, "portctl get"],
  [["import", "a", "b"], /unexpected argument "b": portctl import takes one FILE$/, "portctl import"],
  [
    ["config", "set", "log", "a", "b"],
    /unexpected argument "b": portctl config set takes one KEY and one VALUE$/,
    "portctl config set"
  ],
  [["allocate", ...owner, "stray"], /"stray"/, "portctl allocate"],
  [["allocate", "stray", ...owner], /"stray"/, "portctl allocate"],
  [["allocate", ...owner, "--quiet=1"], /--quiet.*value/, "portctl allocate"],
  [["release", "7"], /7|--id/, "portctl release"],
  [["check", "--port", "80", "81"], /"81"$/, "portctl check"],
  [["check", "3000"], /unexpected argument "3000", did you mean --port 3000\?$/, "portctl check"],
  [["check", "--json", "3000"], /unexpected argument "3000", did you mean --port 3000\?$/, "portctl check"],
  [["why", "3000", "--json"], /unexpected argument "3000", did you mean --port 3000\?$/, "portctl why"],
  [["check", "web"], /--port is required$/, "portctl check"],
  [["check", "--port"], /option --port needs a value$/, "portctl check"],
  [["start", "51234"], /unexpected argument "51234", did you mean --port 51234\?$/, "portctl start"],
  [["release", "4"], /unexpected argument "4", did you mean --id 4\?$/, "portctl release"],
  [["kill", "3000"], /unexpected argument "3000", did you mean --port 3000\?$/, "portctl kill"],
  [["kill", "web"], /unexpected argument "web", did you mean --service web\?$/, "portctl kill"],
  [["list", "shop"], /unexpected argument "shop", did you mean --app shop\?$/, "portctl list"],
  [["list", "my shop"], /unexpected argument "my shop", did you mean --app 'my shop'\?$/, "portctl list"],
  [["list", "json"], /unexpected argument "json", did you mean --json\?$/, "portctl list"],
  [["check", "port", "3000"], /unexpected argument "port", did you mean --port 3000\?$/, "portctl check"],
  [["ensure", "web"], /unexpected argument "web", did you mean --service web\?$/, "portctl ensure"],
  [["ensure", "--service", "web", "db"], /"db", did you mean --service web,db\?$/, "portctl ensure"],
  [["verify", "web", "db"], /unexpected argument "web", did you mean --service web,db\?$/, "portctl verify"],
  [["env", "--json"], /unknown option --json, did you mean --format json\?$/, "portctl env"],
  [["run", "npm", "run", "dev"], /the command goes after --: portctl run -- npm run dev$/, "portctl run"],
  [
    ["run", "--quiet", "npm", "run", "dev", "--", "--host"],
    /the command goes after --: portctl run --quiet -- npm run dev -- --host$/,
    "portctl run"
  ],
  [["check", ":3000"], /unexpected argument ":3000", did you mean --port 3000\?$/, "portctl check"],
  [["why", "localhost:3000"], /unexpected argument "localhost:3000", did you mean --port 3000\?$/, "portctl why"],
  [["release", "web"], /unexpected argument "web", did you mean --here --service web\?$/, "portctl release"],
  [
    ["release", "shop/main/web"],
    /unexpected argument "shop\/main\/web", did you mean --app shop --instance main --service web\?$/,
    "portctl release"
  ],
  [["release", "--here", "web"], /did you mean --service web\?$/, "portctl release"],
  [["release", "--app", "shop", "main"], /did you mean --instance main\?$/, "portctl release"],
  [["release", ":3000"], /did you mean --port 3000\?$/, "portctl release"],
  [["list", "shop/main"], /did you mean --app shop --instance main\?$/, "portctl list"],
  [
    ["run", "--service", "web", "--quiet", "npx", "vite", "--host", "a b"],
    /: portctl run --service web --quiet -- npx vite --host 'a b'$/,
    "portctl run"
  ],
  [["3000"], /unknown command "3000", did you mean "why --port 3000"\? \(/, "portctl"],
  [[":3000"], /unknown command ":3000", did you mean "why --port 3000"\? \(/, "portctl"],
  [["ls"], /unknown command "ls", did you mean "list"\? \(/, "portctl"],
  [["version"], /unknown command "version", did you mean "--version"\? \(/, "portctl"],
  [["completion", "bash"], /unknown command "completion", did you mean "--completions bash"\? \(/, "portctl"],
  [["completion", "fish"], /unknown command "completion", did you mean "--completions fish"\? \(/, "portctl"],
  [["completions"], /unknown command "completions", did you mean "--completions bash"\? \(/, "portctl"],
  [["-v"], /unknown option -v, did you mean --version\?$/, "portctl"],
  [["-V"], /unknown option -V, did you mean --version\?$/, "portctl"],
  [["list", "--here"], /unknown option --here$/, "portctl list"],
  [["log", "--here"], /unknown option --here$/, "portctl log"],
  [["config", "banana"], /portctl config takes .*, not "banana"$/, "portctl config"],
  [["config", "lst"], /portctl config takes .*, not "lst", did you mean "list"\?$/, "portctl config"],
  [["agents", "instal"], /portctl agents takes .*, not "instal", did you mean "install"\?$/, "portctl agents"],
  [["config", "set", "range=3000-4000"], /VALUE is required, did you mean range 3000-4000\?$/, "portctl config set"],
  [["config", "set", "range"], /VALUE is required$/, "portctl config set"],
  [["config", "set", "rang=3000-4000"], /VALUE is required$/, "portctl config set"],
  [["env", "--format"], /option --format needs a value: dotenv, export or json$/, "portctl env"],
  [["env", "--format", "--app", "x"], /option --format needs a value: dotenv, export or json$/, "portctl env"],
  [["env", "--app"], /option --app needs a value$/, "portctl env"],
  [
    ["env", "--write", "--json"],
    /option --write needs a value, and --json looks like an option \(as a value: --write=--json\)$/,
    "portctl env"
  ],
  [["service", "install", "--format"], /option --format needs a value: systemd or launchd$/, "portctl service install"],
  [["service", "--dry-run", "install"], /unknown option --dry-run$/, "portctl service"],
  [["service", "uninstall", "--range", "1-2"], /unknown option --range$/, "portctl service uninstall"],
  [["list", "--completions"], /option --completions needs a value: bash, zsh or fish$/, "portctl list"],
  [["health", "--app", "x"], /--app/, "portctl health"]
]

describe.concurrent("a command line that portctl cannot follow", () => {
  for (const [args, wrong, usage] of refused) {
    it.scopedLive(`refuses ${JSON.stringify(args)}, and sends nothing`, () =>
      Effect.gen(function* () {
        const { address, connections } = yield* listener()
        expectUsageError(yield* portctl(args, { env: { PORT_SERVER_ADDR: address } }), wrong, usage)
        expect(connections()).toBe(0)
      })
    )
  }

  for (const args of ["ensure", "list", "status", "kill --port 1", "why --port 3000", "doctor"]) {
    it.scopedLive(`prints with --json what is wrong with a variable as JSON too: ${args}`, () =>
      Effect.gen(function* () {
        const env = { HOME: yield* temporaryFolder, PORT_SERVER_ADDR: "127.0.0.1:99999" }
        const error = 'PORT_SERVER_ADDR: the address must be host:port like 127.0.0.1:51234, not "127.0.0.1:99999"'
        expectError(yield* portctl([...args.split(" "), "--json"], { env }), error, `${JSON.stringify({ error })}\n`)
      })
    )
  }

  for (const [args, error] of [
    [["check", "3000", "--json"], 'unexpected argument "3000", did you mean --port 3000?'],
    [["why", "--json"], "option --port is required"],
    [["kill", "--json"], "either --service or --port is required"],
    [["allocate", "--json", "--quiet", ...owner], "--json and --quiet exclude each other"],
    [["env", "--json"], "unknown option --json, did you mean --format json?"]
  ] as const) {
    it.scopedLive(`prints with --json what is wrong with ${JSON.stringify(args)} as JSON too`, () =>
      Effect.gen(function* () {
        const { stdout } = yield* portctl(args)
        expect(JSON.parse(stdout)).toEqual({ error })
      })
    )
  }

  for (const args of [
    ["run", "--bogus", "--", "echo", "--json"],
    ["run", "npm", "ls", "--json"],
    ["run", "--json", "--", "true"],
    ["run", "--json"]
  ]) {
    it.scopedLive(`prints nothing on the stdout of another program: ${args.join(" ")}`, () =>
      Effect.gen(function* () {
        expect(yield* portctl(args)).toMatchObject({ code: 2, stdout: "" })
      })
    )
  }

  for (const [args, isPlan] of [
    ["run -- true --json", false],
    ["compose ps --json", false],
    ["compose -f a.yaml exec plan --json", false],
    ["compose plan --json", true],
    ["compose -f a.yaml plan --json", true]
  ] as const) {
    it.scopedLive(`prints JSON on stdout only for a command of its own: ${args}`, () =>
      Effect.gen(function* () {
        const env = { HOME: yield* temporaryFolder, PORT_SERVER_ADDR: "127.0.0.1:99999" }
        const { stderr, stdout } = yield* portctl(args.split(" "), { env })
        const [error = ""] = stderr.split("\n")
        expect(error).toMatch(/^error: PORT_SERVER_ADDR: ./)
        expect(stdout).toBe(isPlan ? `${JSON.stringify({ error: error.slice("error: ".length) })}\n` : "")
      })
    )
  }

  for (const value of ["true", "false", "1", "no"]) {
    it.scopedLive(`refuses the stray argument ${value} after a flag that takes no value`, () =>
      Effect.gen(function* () {
        // Closes at once, so that a program that does ask it ends.
        const { address, connections } = yield* listener((socket) => socket.destroy())
        const ended = yield* portctl(["list", "--json", value], { env: { PORT_SERVER_ADDR: address } })
        expectUsageError(ended, new RegExp(`"?${value}"?`), "portctl list")
        expect(connections()).toBe(0)
      })
    )
  }

  it.scopedLive("refuses completions for a shell that it does not know, and says which ones it knows", () =>
    Effect.gen(function* () {
      expectUsageError(yield* portctl(["--completions", "tcsh"]), /bash.*zsh.*fish/, "portctl")
    })
  )
})
