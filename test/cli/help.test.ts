import { execFileSync, spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectClean } from "../support/Expectations.ts"
import { bin, start, temporaryFolder } from "../support/Programs.ts"

const builtIns = ["--help", "--version", "--completions"]

/** Every command of both programs with all of its flags. */
const commands: Readonly<Record<string, ReadonlyArray<string>>> = {
  portctl: [],
  "portctl allocate": ["--app", "--instance", "--service", "--port", "--json", "--quiet"],
  "portctl release": ["--id", "--here", "--app", "--instance", "--service", "--port", "--json"],
  "portctl list": ["--app", "--instance", "--service", "--live", "--json"],
  "portctl check": ["--port", "--json"],
  "portctl why": ["--port", "--json"],
  "portctl scan": ["--json"],
  "portctl prune": ["--dry-run", "--yes", "--json"],
  "portctl start": ["--port", "--db", "--range", "--no-probe", "--json"],
  "portctl stop": ["--port"],
  "portctl restart": ["--port", "--db", "--range", "--no-probe", "--json"],
  "portctl status": ["--port", "--json"],
  "portctl health": ["--json"],
  "portctl ensure": ["--service", "--app", "--instance", "--json", "--quiet"],
  "portctl export": ["--json"],
  "portctl import": ["--dry-run", "--json"],
  "port-server": ["--port", "--db", "--range", "--no-probe", "--log", "--check"]
}

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

const version: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))

describe.concurrent("help", () => {
  for (const [line, flags] of Object.entries(commands)) {
    it.scopedLive(`${line} --help shows the usage and every flag, and no other`, () =>
      Effect.gen(function* () {
        const help = yield* run(line, "--help")
        expect(help).toMatchObject({ code: 0, stderr: "" })
        expectClean(help)
        const shown = [...help.stdout.matchAll(/^ +(?:-h, )?(--[a-z-]+)/gm)].map(([, flag]) => flag)
        expect(shown.sort()).toEqual([...flags, ...builtIns].sort())
        expect(help.stdout).toMatch(new RegExp(`^Usage:\n {2}${line} `, "m"))
        expect(Math.max(...help.stdout.split("\n").map((text) => text.length))).toBeLessThanOrEqual(120)
        expect(yield* run(line, "-h")).toEqual(help)
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
      expectAnswer(yield* run("portctl"), client)
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

const installed = (shell: string) => spawnSync(shell, ["-c", "true"]).status === 0
const checked = { bash: ["-n"], zsh: ["-n"], fish: ["--no-execute"] } as const

describe.concurrent("completions", () => {
  for (const program of ["portctl", "port-server"] as const) {
    for (const shell of ["bash", "zsh", "fish"] as const) {
      it.scopedLive(`${program} --completions ${shell} offers every flag, and none that the program refuses`, () =>
        Effect.gen(function* () {
          const script = yield* run(program, "--completions", shell)
          expect(script).toMatchObject({ code: 0, stderr: "" })
          expectClean(script)
          const pattern = shell === "fish" ? /-l ([a-z][a-z-]+)/g : /--([a-z][a-z-]+)/g
          const offered = new Set([...script.stdout.matchAll(pattern)].map(([, flag]) => `--${flag}`))
          const known = Object.entries(commands).filter(([line]) => line.startsWith(program))
          expect([...offered].sort()).toEqual(
            [...new Set([...builtIns, ...known.flatMap(([, flags]) => flags)])].sort()
          )
        })
      )

      // Says "skipped: … is not installed" in the report where the shell is missing.
      const name = `${program} --completions ${shell} is a script that ${shell} accepts`
      const test = installed(shell) ? it.scopedLive : it.scopedLive.skip
      test(installed(shell) ? name : `${name} (skipped: ${shell} is not installed)`, () =>
        Effect.gen(function* () {
          const file = join(yield* temporaryFolder, "completions")
          writeFileSync(file, (yield* run(program, "--completions", shell)).stdout)
          const { status, stderr, stdout } = spawnSync(shell, [...checked[shell], file], { encoding: "utf8" })
          expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: "", stdout: "" })
        })
      )
    }
  }

  it.scopedLive("bash completes commands and their flags", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryFolder, "completions")
      writeFileSync(file, (yield* run("portctl", "--completions", "bash")).stdout)
      const complete = (...words: ReadonlyArray<string>) =>
        execFileSync(
          "bash",
          [
            "--norc",
            "-c",
            `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
           $(complete -p portctl | sed 's/.* -F \\([^ ]*\\) .*/\\1/') portctl; printf '%s\\n' "\${COMPREPLY[@]}"`,
            "bash",
            file,
            ...words
          ],
          { encoding: "utf8" }
        ).split("\n")
      expect(complete("portctl", "al")).toEqual(["allocate", ""])
      expect(complete("portctl", "release", "--i")).toEqual(expect.arrayContaining(["--id", "--instance"]))
      expect(complete("portctl", "check", "--p")).toEqual(["--port", ""])
    })
  )
})

it.scopedLive("a reader that goes away early is nobody's error", () =>
  Effect.gen(function* () {
    const running = yield* start("bash", ["-c", 'set -o pipefail; "$0" --help | head -c 0', bin.portctl])
    const ended = yield* running.ended
    expect(ended.stdout).toBe("")
    expect(ended.stderr).not.toMatch(/ at |EPIPE/)
  })
)
