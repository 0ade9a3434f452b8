import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectClean, expectUsageError } from "../../support/Expectations.ts"
import { bin, start, temporaryFolder } from "../../support/Programs.ts"

const builtIns = ["--help", "--version", "--completions"]

/** Every command of both programs with all of its flags. */
/** How a server is started. */
const serverSettings = ["--db", "--range", "--probe", "--no-probe", "--log", "--engine", "--socket", "--allow-host"]

const commands: Readonly<Record<string, ReadonlyArray<string>>> = {
  portctl: [],
  "portctl allocate": ["--app", "--instance", "--service", "--port", "--json", "--quiet"],
  "portctl release": ["--id", "--here", "--app", "--instance", "--service", "--port", "--json"],
  "portctl list": ["--app", "--instance", "--service", "--live", "--folder", "--watch", "--json"],
  "portctl check": ["--port", "--json"],
  "portctl why": ["--port", "--json"],
  "portctl log": ["--port", "--app", "--instance", "--service", "--kind", "--since", "--limit", "--follow", "--json"],
  "portctl scan": ["--json"],
  "portctl prune": ["--dry-run", "--yes", "--json"],
  "portctl start": ["--port", ...serverSettings, "--json"],
  "portctl stop": ["--port", "--json"],
  "portctl restart": ["--port", ...serverSettings, "--json"],
  "portctl status": ["--port", "--json"],
  "portctl service": [],
  "portctl service install": ["--port", ...serverSettings, "--dry-run", "--format"],
  "portctl service uninstall": ["--dry-run", "--format"],
  "portctl health": ["--json"],
  "portctl ensure": ["--service", "--app", "--instance", "--json", "--quiet"],
  "portctl env": ["--service", "--app", "--instance", "--format", "--write"],
  "portctl run": ["--service", "--app", "--instance", "--no-inject", "--no-watch", "--quiet"],
  "portctl dashboard": ["--json"],
  "portctl compose": [],
  "portctl compose plan": ["--json"],
  "portctl compose override": ["--write"],
  "portctl open": ["--service", "--app", "--instance", "--json"],
  "portctl init": ["--app", "--service", "--root", "--json"],
  "portctl add": ["--size", "--json"],
  "portctl remove": ["--json"],
  "portctl get": ["--app", "--instance", "--json"],
  "portctl verify": ["--service", "--listening", "--json"],
  "portctl context": ["--json"],
  "portctl mcp": ["--read-only"],
  "portctl agents": [],
  "portctl agents install": ["--claude", "--codex", "--cursor", "--copilot", "--agents-md", "--dry-run"],
  "portctl agents uninstall": ["--claude", "--codex", "--cursor", "--copilot", "--agents-md", "--dry-run"],
  "portctl agents hook": [],
  "portctl kill": ["--service", "--port", "--json"],
  "portctl doctor": ["--json"],
  "portctl config": [],
  "portctl config list": ["--port", "--json"],
  "portctl config get": ["--port", "--json"],
  "portctl config set": ["--port", "--json"],
  "portctl config unset": ["--port", "--json"],
  "portctl export": ["--json"],
  "portctl import": ["--dry-run", "--json"],
  "port-server": [
    "--port",
    "--db",
    "--socket",
    "--allow-host",
    "--range",
    "--engine",
    "--no-probe",
    "--log",
    "--check",
    "--dry-run"
  ]
}

/** Commands that only have others below them. */
const groups = ["portctl", "portctl agents", "portctl config", "portctl service"]

const programs = { portctl: bin.portctl, "port-server": bin.portServer }

/** Run a program in a home of its own, where nothing may come to be. */
const run = (line: string, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const [program, ...command] = line.split(" ")
    const file = program === "portctl" ? programs.portctl : programs["port-server"]
    const env = { HOME: yield* temporaryFolder }
    const running = yield* start(file, [...command, ...args], { env })
    return yield* running.ended
  })

const version: unknown = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"))

describe.concurrent("help", () => {
  for (const [line, flags] of Object.entries(commands)) {
    it.scopedLive(`${line} --help shows the usage and every flag, and no other`, () =>
      Effect.gen(function* () {
        const help = yield* run(line, "--help")
        expect(help).toMatchObject({ code: 0, stderr: "" })
        expectClean(help)
        const options = /^Options:\n((?: .*\n)+)/m.exec(help.stdout)?.[1] ?? ""
        const shown = [...options.matchAll(/^ {2}(?:-h, )?(--[a-z-]+)/gm)].map(([, flag]) => flag)
        expect(shown.sort()).toEqual([...flags, ...builtIns].sort())
        expect(help.stdout).toMatch(new RegExp(`^Usage:\n {2}${line} `, "m"))
        expect(Math.max(...help.stdout.split("\n").map((text) => text.length))).toBeLessThanOrEqual(80)
        expect(yield* run(line, "-h")).toEqual(help)
        const [program = "", ...verb] = line.split(" ")
        if (program === "portctl") expect(yield* run(program, "help", ...verb)).toEqual(help)
        if (line === "portctl") return
        expect(help.stdout).toMatch(new RegExp(`^Examples:\n(?: .*\n)* .*${line} ?`, "m"))
        if (groups.includes(line)) return
        expect(help.stdout).toMatch(/^Exit status:\n {2}0 {2,}\S.*\n(?: .*\n)* {2}1 {2,}\S/m)
      })
    )

    it.scopedLive(`${line}: a Tab after -- offers every flag with what it does, and no other`, () =>
      Effect.gen(function* () {
        const [program = "", ...verb] = line.split(" ")
        const { stdout } = yield* run(program, "__complete", "fish", ...verb, "--")
        const [kind, ...offered] = stdout.trimEnd().split("\n")
        expect(kind).toBe("words")
        expect(offered.flatMap((text) => /^--[a-z-]+/.exec(text) ?? []).sort()).toEqual([...flags, ...builtIns].sort())
        for (const text of offered) expect(text).toMatch(/\t[A-Z]/)
      })
    )
  }

  it.scopedLive("the help says the defaults of the specification, and lists the commands", () =>
    Effect.gen(function* () {
      const server = (yield* run("port-server", "--help")).stdout
      for (const text of ["51234", "~/.port_server/ports.db", "3000-9999"]) expect(server).toContain(text)
      const client = (yield* run("portctl", "--help")).stdout
      for (const name of ["allocate", "release", "list", "check", "health"]) {
        expect(client).toMatch(new RegExp(`^ {2}${name} +[A-Z]`, "m"))
      }
      // Each of them on one line.
      expect(client).not.toMatch(/^ {12}/m)
      expectAnswer(yield* run("portctl"), client)
      for (const name of ["PORT_SERVER_PORT", "PORT_SERVER_DB", "PORT_SERVER_RANGE"]) expect(server).toContain(name)
      for (const name of ["PORT_SERVER_ADDR", "PORT_SERVER_TOKEN", "PORTCTL_AUTOSTART", "NO_COLOR"])
        expect(client).toContain(name)
    })
  )
})

it.scopedLive("--version prints the version of the package", () =>
  Effect.gen(function* () {
    const client = yield* run("portctl", "--version")
    expect(version).toMatchObject({ version: client.stdout.trim() })
    expectAnswer(client, `${client.stdout.trim()}\n`)
    expectAnswer(yield* run("port-server", "--version"), client.stdout)
    expectAnswer(yield* run("portctl list", "--version"), client.stdout)
  })
)

it.scopedLive("a reader that goes away early is nobody's error", () =>
  Effect.gen(function* () {
    const running = yield* start("bash", ["-c", 'set -o pipefail; "$0" --help | head -c 0', bin.portctl])
    const ended = yield* running.ended
    expect(ended.stdout).toBe("")
    expect(ended.stderr).not.toMatch(/ at |EPIPE/)
  })
)

it.scopedLive("help of a command that is not there says so, and which one was probably meant", () =>
  Effect.gen(function* () {
    expectUsageError(yield* run("portctl", "help", "relase"), /"relase", did you mean "release"\?/, "portctl")
    expectUsageError(yield* run("portctl", "help", "nonsense"), /^error: unknown command "nonsense" \(/, "portctl")
    expectAnswer(yield* run("portctl", "help", "help"), (yield* run("portctl")).stdout)
  })
)
