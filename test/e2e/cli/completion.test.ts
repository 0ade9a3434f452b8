import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectClean } from "../../support/Expectations.ts"
import { bin, type PortServer, portctl, start, startServer, temporaryFolder } from "../../support/Programs.ts"
import { closedAddress, listener } from "../../support/Sockets.ts"
import { noTerminal, onTerminal } from "../../support/Terminals.ts"

const installed = (shell: string) => spawnSync(shell, ["-c", "true"]).status === 0

/** A test that is skipped, and says why in its name, where something is missing. */
const needing = (missing: string | undefined) => ({
  test: missing === undefined ? it.scopedLive : it.scopedLive.skip,
  named: (name: string) => (missing === undefined ? name : `${name} (skipped: ${missing})`)
})

const needingShell = (shell: string) => needing(installed(shell) ? undefined : `${shell} is not installed`)

/** Names that a shell would make something else of, were they evaluated. */
const hostile = [
  "two words",
  "it's",
  'say "hi"',
  "$(touch pwned)",
  "`touch pwned`",
  "a;b&c|d>e<f",
  "key:value=1",
  "back\\slash",
  "*?[x]{a,b}",
  "#hash ~tilde",
  "ünïcödé 日本",
  "$HOME"
]

const allocate = (server: PortServer, app: string, instance: string, service: string) =>
  Effect.map(portctl(["allocate", "--app", app, "--instance", instance, "--service", service], { server }), (ended) =>
    expect(ended.code, ended.stderr).toBe(0)
  )

/** What can stand at the end of a line, as the scripts of zsh and fish are told it. */
const candidates = (server: { readonly address: string }, ...line: ReadonlyArray<string>) =>
  Effect.map(portctl(["__complete", "fish", ...line], { env: { PORT_SERVER_ADDR: server.address } }), (ended) => {
    expect(ended).toMatchObject({ code: 0, stderr: "" })
    expectClean(ended)
    return ended.stdout.trimEnd().split("\n")
  })

const values = (server: { readonly address: string }, ...line: ReadonlyArray<string>) =>
  Effect.map(candidates(server, ...line), ([kind, ...rest]) => {
    expect(kind).toBe("words")
    return rest.map((text) => text.split("\t")[0])
  })

describe.concurrent("completion", () => {
  it.scopedLive("offers apps, their instances, and the services of those, as they are on the server", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server, "shop", "main", "web")
      yield* allocate(server, "shop", "main", "db")
      yield* allocate(server, "shop", "fix", "web")
      yield* allocate(server, "blog", "next", "search")
      expect(yield* values(server, "list", "--app", "")).toEqual(["shop", "blog"])
      expect(yield* values(server, "list", "--app=")).toEqual(["--app=shop", "--app=blog"])
      expect(yield* values(server, "list", "--instance", "")).toEqual(["main", "fix", "next"])
      expect(yield* values(server, "list", "--app", "shop", "--instance", "")).toEqual(["main", "fix"])
      expect(yield* values(server, "list", "--app=blog", "--instance=")).toEqual(["--instance=next"])
      expect(yield* values(server, "list", "--app", "shop", "--service", "")).toEqual(["web", "db"])
      expect(yield* values(server, "release", "--app", "shop", "--instance", "fix", "--service", "")).toEqual(["web"])
      expect(yield* values(server, "allocate", "--app", "")).toEqual(["shop", "blog"])
    })
  )

  it.scopedLive(
    "offers the ids and ports that can be released, with their owners, and no port that is to be free",
    () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        yield* allocate(server, "shop", "main", "web")
        yield* allocate(server, "blog", "next", "search")
        expect(yield* candidates(server, "release", "--id", "")).toEqual([
          "words",
          "1\t3000 shop/main/web",
          "2\t3001 blog/next/search"
        ])
        expect(yield* candidates(server, "release", "--app", "blog", "--port", "")).toEqual([
          "words",
          "3001\tblog/next/search"
        ])
        expect(yield* values(server, "check", "--port", "3")).toEqual(["3000", "3001"])
        expect(yield* values(server, "allocate", "--port", "")).toEqual([])
      })
  )

  it.scopedLive("offers commands, the words of choices, files for files, and nothing that is on the line already", () =>
    Effect.gen(function* () {
      const nowhere = { address: yield* closedAddress }
      const commands = yield* values(nowhere, "")
      expect(commands).toEqual(expect.arrayContaining(["allocate", "release", "list", "check", "health", "help"]))
      expect(commands.filter((name) => name?.startsWith("_"))).toEqual([])
      expect(yield* values(nowhere, "help", "")).toEqual(commands.filter((name) => name !== "help"))
      expect(yield* values(nowhere, "-")).toEqual(["--help", "--version", "--completions"])
      expect(yield* values(nowhere, "--completions", "")).toEqual(["bash", "zsh", "fish"])
      expect(yield* values(nowhere, "list", "--completions=")).toEqual([
        "--completions=bash",
        "--completions=zsh",
        "--completions=fish"
      ])
      expect(yield* candidates(nowhere, "import", "")).toEqual(["files"])
      expect(yield* candidates(nowhere, "env", "--write", "")).toEqual(["files"])
      expect(yield* values(nowhere, "env", "--format", "")).toEqual(["dotenv", "export", "json"])
      expect(yield* candidates(nowhere, "run", "--service", "web", "--", "")).toEqual(["command"])
      expect(yield* candidates(nowhere, "list", "--", "")).toEqual(["words"])
      expect(yield* values(nowhere, "run", "-")).toContain("--")
      expect(yield* values(nowhere, "compose", "")).toEqual(expect.arrayContaining(["plan", "override", "up", "down"]))
      expect(yield* values(nowhere, "compose", "plan", "-")).toContain("--json")
      expect(yield* values(nowhere, "compose", "up", "-")).toEqual([])
      expect(yield* values(nowhere, "list", "-")).not.toContain("--")
      expect(yield* values(nowhere, "list", "--json", "--app", "x", "--")).not.toContain("--app")
      expect(yield* values(nowhere, "nonsense", "")).toEqual([])
      expect(yield* values(nowhere, "list", "--json=")).toEqual([])
      expect(yield* values(nowhere, "help", "list", "")).toEqual([])
    })
  )

  it.scopedLive("offers the further services of a list, those that are not in it yet", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      for (const service of ["web", "db", "mail", "a,b"]) yield* allocate(server, "shop", "main", service)
      expect(yield* values(server, "ensure", "--service", "")).toEqual(["web", "db", "mail"])
      expect(yield* values(server, "ensure", "--service", "web,")).toEqual(["web,db", "web,mail"])
      expect(yield* values(server, "ensure", "--service=db,web,m")).toEqual(["--service=db,web,mail"])
      expect(yield* values(server, "ensure", "--service", "web", "--")).toContain("--service")
      expect(yield* values(server, "list", "--service", "")).toEqual(["web", "db", "mail", "a,b"])
    })
  )

  it.scopedLive("answers nothing, soon, and starts nothing when no server answers", () =>
    Effect.gen(function* () {
      const home = yield* temporaryFolder
      const silent = yield* listener()
      let started = 0
      for (const address of [yield* closedAddress, "nonsense", silent.address]) {
        started = Date.now()
        const ended = yield* portctl(["__complete", "fish", "list", "--app", ""], {
          env: { PORT_SERVER_ADDR: address, HOME: home }
        })
        expect(ended).toEqual({ code: 0, signal: null, stdout: "words\n", stderr: "" })
      }
      // The last of them gets no answer; a usual request would wait ten seconds for that.
      expect(Date.now() - started).toBeLessThan(9_000)
      expect(execFileSync("ls", ["-A", home], { encoding: "utf8" })).toBe("")
    })
  )

  for (const program of ["portctl", "port-server"] as const) {
    for (const [shell, ...check] of [
      ["bash", "-n"],
      ["zsh", "-n"],
      ["fish", "--no-execute"]
    ] as const) {
      const { named, test } = needingShell(shell)
      test(named(`${program} --completions ${shell} is a script that ${shell} accepts`), () =>
        Effect.gen(function* () {
          const file = join(yield* temporaryFolder, "completions")
          const running = yield* start(join(dirname(bin.portctl), program), ["--completions", shell])
          const script = yield* running.ended
          expect(script).toMatchObject({ code: 0, stderr: "" })
          expectClean(script)
          writeFileSync(file, script.stdout)
          const { status, stderr, stdout } = spawnSync(shell, [...check, file], { encoding: "utf8" })
          expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: "", stdout: "" })
        })
      )
    }
  }
})

/** A server that has the hostile names, each for an app, and what runs a shell where portctl is found. */
const hostileServer = Effect.gen(function* () {
  const server = yield* startServer()
  const folder = yield* temporaryFolder
  for (const [index, app] of hostile.entries()) yield* allocate(server, `${index}${app}`, `a:b ${index}`, "web")
  mkdirSync(join(folder, "sub"))
  writeFileSync(join(folder, "sub", "a backup.json"), '{"version":1,"allocations":[]}')
  return {
    server,
    folder,
    env: {
      PORT_SERVER_ADDR: server.address,
      HOME: folder,
      ZDOTDIR: folder,
      LC_ALL: "C.UTF-8",
      PATH: `${dirname(bin.portctl)}:${process.env["PATH"] ?? ""}`
    }
  }
})

const apps = hostile.map((app, index) => `${index}${app}`)

/** What a shell reads when it starts: where, and with what it is told to. */
const interactive = {
  bash: { command: ["bash", "--noprofile", "--rcfile", ".bashrc", "-i"], file: ".bashrc", setup: "" },
  zsh: { command: ["zsh", "-i"], file: ".zshrc", setup: "autoload -U compinit; compinit -u -D\n" }
} as const

/** What an interactive shell shows while these lines, each with its Tabs, are typed into it one after the other. */
const typed = (
  shell: "bash" | "zsh",
  { env, folder }: { readonly env: Readonly<Record<string, string>>; readonly folder: string },
  lines: ReadonlyArray<string>
) => {
  const { command, file, setup } = interactive[shell]
  writeFileSync(join(folder, file), `PS1='READY> '\n${setup}source <(portctl --completions ${shell})\n`)
  const done = (index: number) => (index < 0 ? "READY> " : `done-${index}.`)
  const typing = lines.map((line, index) => [done(index - 1), `${line}; echo do''ne-${index}.\r`] as const)
  return Effect.map(
    onTerminal(command, {
      env,
      cwd: folder,
      columns: 200,
      typing: [...typing, [done(lines.length - 1), "exit\r"]]
    }),
    // Without the switches of the shell's own line editing.
    ({ stdout }) => stdout.replaceAll(/\u001b\[\?\d+[hl]|\r/g, "")
  )
}

describe("a Tab in a real shell", () => {
  for (const shell of ["bash", "zsh"] as const) {
    const { named, test } = needing(noTerminal ?? (installed(shell) ? undefined : `${shell} is not installed`))
    test(named(`${shell} completes names that have to be quoted, in every way to quote them, and evaluates none`), () =>
      Effect.gen(function* () {
        const { env, folder, server } = yield* hostileServer
        // Each line ends with the Tab; what the shell then runs says which app it had understood.
        const lines = [
          ...apps.map((app, index) => [`--app ${index}${/^\w/.exec(app.slice(String(index).length)) ?? ""}`, app]),
          ["--app=0", "0two words"],
          ['--app "0t', "0two words"],
          ['--app "3', "3$(touch pwned)"],
          ["--app '1i", "1it's"],
          ["--app '3", "3$(touch pwned)"],
          ["--app 0two\\ w", "0two words"],
          ["--app 6key:v", "6key:value=1"],
          ["--app 6key:value=", "6key:value=1"],
          ["--instance a:b\\ 3", "3$(touch pwned)"],
          ["--app 1it\\'s --instance ", "1it's"]
        ] as const
        const stdout = yield* typed(
          shell,
          { env, folder },
          lines.map(([line]) => `portctl list --json ${line}\t`)
        )
        const answers = [...stdout.matchAll(/^\[(?:\n[\s\S]*?\n)?\]$/gm)].map(([json]): unknown => JSON.parse(json))
        const expected = lines.map(([, app]) => [expect.objectContaining({ app })])
        expect(answers, stdout).toEqual(expected)
        expect(execFileSync("ls", [folder], { encoding: "utf8" })).not.toContain("pwned")
        expect(server.output.stderr).toBe("")
      })
    )

    test(named(`${shell} completes files for files, and the command line of another command after --`), () =>
      Effect.gen(function* () {
        const { env, folder } = yield* hostileServer
        const stdout = yield* typed(shell, { env, folder }, [
          "portctl import sub/a\t--dry\t",
          "portctl run --app x --instance y --service w -- ls sub/a\t",
          "portctl list --app nobody\t"
        ])
        expect(stdout).toContain("\nwould import 0 allocation(s), 0 unchanged\n")
        expect(stdout).toContain("sub/a\\ backup.json")
        expect(stdout).toContain("\nno allocations\n")
      })
    )
  }

  const { named, test } = needingShell("fish")
  test(named("fish completes names as they are, flags with their values, files, and commands after --"), () =>
    Effect.gen(function* () {
      const { env, folder } = yield* hostileServer
      const complete = (line: string) =>
        Effect.gen(function* () {
          const code = "portctl --completions fish | source; complete -C $argv[1]"
          const running = yield* start("fish", ["--no-config", "-c", code, line], { env, cwd: folder })
          const { stderr, stdout } = yield* running.ended
          expect(stderr).toBe("")
          return stdout.split("\n").filter((text) => text !== "")
        })
      expect((yield* complete("portctl list --app ")).sort()).toEqual([...apps].sort())
      expect(yield* complete("portctl list --app 0two\\ ")).toEqual(["0two words"])
      expect(yield* complete('portctl list --app "3')).toEqual(["3$(touch pwned)"])
      expect(yield* complete("portctl list --app=6key:")).toEqual(["--app=6key:value=1"])
      expect(yield* complete("portctl list --app 1it\\'s --instance ")).toEqual(["a:b 1"])
      expect(yield* complete("portctl import sub/")).toEqual(["sub/a backup.json"])
      expect(yield* complete("portctl run -- ls sub/")).toEqual([expect.stringMatching(/^sub\/a backup\.json/)])
      expect(yield* complete("portctl list --app nobody")).toEqual([])
      expect(yield* complete("portctl chec")).toEqual([expect.stringMatching(/^check\tCheck /)])
      expect(execFileSync("ls", [folder], { encoding: "utf8" })).not.toContain("pwned")
    })
  )

  it.scopedLive("bash completes commands and their flags, from the words that it hands over", () =>
    Effect.gen(function* () {
      const { env } = yield* hostileServer
      const complete = (line: string) =>
        execFileSync(
          "bash",
          [
            "--norc",
            "-c",
            `source <(portctl --completions bash); COMP_LINE=$1; COMP_POINT=\${#1}; COMP_WORDS=($1); COMP_CWORD=0
             $(complete -p portctl | sed 's/.* -F \\([^ ]*\\) .*/\\1/') portctl; printf '%s\\n' "\${COMPREPLY[@]}"`,
            "bash",
            line
          ],
          { env, encoding: "utf8" }
        ).split("\n")
      expect(complete("portctl al")).toEqual(["allocate", ""])
      expect(complete("portctl release --i")).toEqual(["--id", "--instance", ""])
      expect(complete("portctl check --p")).toEqual(["--port", ""])
      expect(complete("portctl release --id 1")).toEqual(["1", "10", "11", "12", ""])
    })
  )
})
