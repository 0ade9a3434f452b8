import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseEnv } from "node:util"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Server, sharedServer } from "../../support/Api.ts"
import { expectAnswer, expectError } from "../../support/Expectations.ts"
import { temporaryRepository } from "../../support/Git.ts"
import { portctl } from "../../support/Programs.ts"
import { shells } from "../../support/Shells.ts"

/** A repository of this name with a project file. */
const withFile = Effect.fnUntraced(function* (name: string, contents: object) {
  const server = yield* Server
  const top = yield* temporaryRepository(name)
  const file = join(top, "portctl.json")
  writeFileSync(file, JSON.stringify(contents))
  const call = (...args: ReadonlyArray<string>) => portctl(args, { server, cwd: top })
  return { call, file, server, top }
})

/** One whose services have their ports. */
const project = Effect.fnUntraced(function* (name: string, contents: object) {
  const made = yield* withFile(name, contents)
  const { stdout } = yield* made.call("ensure", "--quiet")
  const [web = "", db = ""] = stdout.trim().split("\n")
  return { ...made, db, web }
})

const services = { web: { env: ["PORT", "VITE_API_PORT"] }, db: {} }

sharedServer()("portctl.json: variables", (it) => {
  it.scoped("of services that have the name of a program", () =>
    Effect.gen(function* () {
      const { call } = yield* project("named", {
        services: { ruby: {}, git: { env: ["GIT_SERVER_PORT", "PROMPTS_URL"] } }
      })
      expect((yield* call("env")).stdout).toMatch(
        /^# named\/main\nRUBY_PORT=\d+\nGIT_SERVER_PORT=\d+\nPROMPTS_URL=\d+\n$/
      )
    })
  )

  it.scoped("one port is in each variable of a list", () =>
    Effect.gen(function* () {
      const { call, db, web } = yield* project("lists", { services })
      expectAnswer(yield* call("env"), `# lists/main\nPORT=${web}\nVITE_API_PORT=${web}\nDB_PORT=${db}\n`)
      expectAnswer(
        yield* call("run", "--quiet", "--", "sh", "-c", 'echo "$PORT $VITE_API_PORT $DB_PORT"'),
        `${web} ${web} ${db}\n`
      )
    })
  )

  it.scoped("others are made of ports, for env and for run", () =>
    Effect.gen(function* () {
      const variables = { DATABASE_URL: "postgres://localhost:{db}/shop?x={y}", BOTH: "{web} {{db} {db}" }
      const { call, db, web } = yield* project("made", { services, variables })
      const url = `postgres://localhost:${db}/shop?x={y}`
      expectAnswer(
        yield* call("env", "--format", "json"),
        `${JSON.stringify({ app: "made", instance: "main", env: { PORT: web, VITE_API_PORT: web, DB_PORT: db, DATABASE_URL: url, BOTH: `${web} {db} ${db}` } })}\n`
      )
      const shown = yield* call("run", "--", "sh", "-c", 'echo "$DATABASE_URL"; echo "$BOTH"')
      expect(shown).toMatchObject({
        stdout: `${url}\n${web} {db} ${db}\n`,
        stderr: `made/main: PORT=${web} VITE_API_PORT=${web} DB_PORT=${db} DATABASE_URL=${url} BOTH=${web} {db} ${db}\n`
      })
      // Those of services that are not asked for are left out.
      expectAnswer(yield* call("env", "--service", "web"), `# made/main\nPORT=${web}\nVITE_API_PORT=${web}\n`)
    })
  )

  it.scoped("may have names that only begin like refused ones", () =>
    Effect.gen(function* () {
      const names = ["LESSON_URL", "PATH_URL", "SSH_URL", "HG_URL", "HOST_URL", "ASSET_URL", "TERM_URL", "CC_URL"]
      const variables = Object.fromEntries(names.map((name) => [name, "{db}"]))
      const { call, db } = yield* project("alike", { services, variables })
      expect((yield* call("env")).stdout).toContain(names.map((name) => `${name}=${db}\n`).join(""))
    })
  )

  it.scoped("that the user has set stay, and an outer run's are not the user's", () =>
    Effect.gen(function* () {
      const { db, server, top } = yield* project("kept", { services, variables: { URL: "x:{db} 100%20" } })
      const inner = ["run", "--", "sh", "-c", 'echo "$URL"']
      expect(yield* portctl(inner, { server, cwd: top, env: { URL: "mine" } })).toMatchObject({
        stdout: "mine\n",
        stderr: expect.stringContaining(`note: URL is set to mine already and stays (kept/main has x:${db} 100%20)\n`)
      })
      const [outer, again] = [
        ["run", "--quiet", "--"],
        ["sh", "-c", '"$0" "$@"; URL=changed "$0" "$@"']
      ]
      const nested = yield* portctl([...outer, ...again, join(process.cwd(), "bin/portctl"), ...inner], {
        server,
        cwd: top
      })
      expect(nested.stdout).toBe(`x:${db} 100%20\nchanged\n`)
      expect(nested.stderr.match(/^note: .*$/gm)).toEqual([
        `note: URL is set to changed already and stays (kept/main has x:${db} 100%20)`
      ])
    })
  )

  const values = [
    "$(touch pwned){db}",
    "`touch pwned`{db}",
    "'$(touch pwned)'{db}",
    "'; touch pwned; '{db}",
    '"; touch pwned; "{db}',
    "\"'$(touch pwned)'\"{db}",
    "\\{db}\\",
    "\\'{db}\\\\",
    "\\'; touch pwned; #{db}",
    "a b\u00a0c # {db}",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: of a shell
    "${HOME} $HOME {db}",
    "! * ? ~ & | ; < > ( ) [ ] {db}",
    "é\ud83d\ude00{db}=="
  ]

  /** A project with these values, in a file `export` for shells too, and commands that print them. */
  const quoted = Effect.gen(function* () {
    const named = values.map((value, index) => [`V${index}`, value] as const)
    const { call, db, top } = yield* project("quoted", { services, variables: Object.fromEntries(named) })
    yield* call("env", "--format", "export", "--write", "export")
    return {
      call,
      top,
      wanted: named.map(([name, value]) => [name, value.replace("{db}", db)] as const),
      show: named.map(([name]) => `printf '%s\\0' "$${name}"`).join("\n")
    }
  })

  for (const [shell, ...args] of [
    ["zsh", "-f"],
    ["fish", "--no-config"]
  ] as const) {
    it.scoped.skipIf(spawnSync(shell, ["--version"]).status !== 0)(`are what they are in ${shell}, too`, () =>
      Effect.gen(function* () {
        const { show, top, wanted } = yield* quoted
        const script = `source ./export\n${show}\nls -A`
        const ended = spawnSync(shell, [...args, "-c", script], { cwd: top, encoding: "utf8" })
        const [files = "", ...rest] = ended.stdout.split("\0").reverse()
        expect(rest.reverse()).toEqual(wanted.map(([, value]) => value))
        expect(files).not.toContain("pwned")
      })
    )
  }

  it.scoped("are what they are in shells and dotenv files, and nothing is run", () =>
    Effect.gen(function* () {
      const { call, show, top, wanted } = yield* quoted
      yield* call("env", "--write", "dotenv")
      for (const [shell, ...args] of shells) {
        for (const script of ['eval "$(cat export)"', ". ./export", ". ./dotenv"]) {
          const ended = spawnSync(shell, [...args, "-c", `${script}\n${show}\nls -A`], { cwd: top, encoding: "utf8" })
          const [files = "", ...rest] = ended.stdout.split("\0").reverse()
          expect(rest.reverse(), `${shell}: ${script}`).toEqual(wanted.map(([, value]) => value))
          expect(files).not.toContain("pwned")
        }
      }
      // Readers of dotenv files that are no shell know no escapes, so none can hold both kinds of quotes.
      const parsed = parseEnv(readFileSync(join(top, "dotenv"), "utf8"))
      for (const [name, value] of wanted) {
        if (!value.includes("'")) expect(parsed[name], name).toBe(value)
      }
    })
  )
})

const bad: ReadonlyArray<readonly [name: string, contents: object, wrong: string]> = [
  [
    "the name of a variable that steers programs",
    { variables: { PATH: "{web}" } },
    "variables: the name must not be PATH: a project file cannot set that variable"
  ],
  [
    "one as the variable of a service",
    { services: { web: { env: "LD_PRELOAD" } } },
    "services.web.env: env must not be LD_PRELOAD: a project file cannot set that variable"
  ],
  [
    "one in a list",
    { services: { web: { env: ["PORT", "NODE_OPTIONS"] } } },
    "services.web.env: env must not be NODE_OPTIONS: a project file cannot set that variable"
  ],
  [
    "a name that is none",
    { variables: { "A B": "{web}" } },
    "variables: the name must be the name of a variable, like PORT or DB_PORT"
  ],
  [
    "a name with a command in it",
    { variables: { "A;touch pwned;B": "{web}" } },
    "variables: the name must be the name of a variable, like PORT or DB_PORT"
  ],
  ["no port in it", { variables: { A: "evil" } }, "variables.A must contain the port of a service, like {web}"],
  [
    "no known service in it",
    { variables: { A: "{db}" } },
    "variables.A must contain the port of a service, like {web}"
  ],
  [
    "an escaped placeholder alone",
    { variables: { A: "{{web}" } },
    "variables.A must contain the port of a service, like {web}"
  ],
  ...["\n", "\r", "\0", "\u001b[2J", "\u0085", "\u2028", "\u202e"].map(
    (char) =>
      [
        `the character ${char.charCodeAt(0)} in it`,
        { variables: { A: `{web}${char}touch pwned` } },
        "variables.A must not contain control or text-direction characters"
      ] as const
  ),
  [
    "a service whose variable port-server reads",
    { services: { "port-server": {} } },
    'the variable of the service "port-server" must not be PORT_SERVER_PORT: a project file cannot set that variable; give it an "env"'
  ],
  ["a number for a value", { variables: { A: 1 } }, "variables.A: must be a string"],
  [
    "a list of variables",
    { variables: ["A"] },
    'variables must be an object like {"API_URL": "http://localhost:{api}"}'
  ],
  [
    "the variable of a service",
    { variables: { WEB_PORT: "{web}0" } },
    'variables.WEB_PORT is the variable of the service "web" already'
  ],
  [
    "an empty list",
    { services: { web: { env: [] } } },
    'services.web.env: env must be the name of a variable, or a list of names like ["PORT", "VITE_PORT"]'
  ],
  [
    "more names than 64",
    { services: { web: { env: Array.from({ length: 50_000 }, (_, index) => `V${index}`) } } },
    "services.web.env: env must be at most 64 names, not 50000"
  ],
  [
    "more services than 256",
    { services: Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`s${index}`, {}])) },
    "services must be at most 256, not 50000"
  ],
  [
    "more variables than 256",
    { variables: Object.fromEntries(Array.from({ length: 40_000 }, (_, index) => [`V${index}`, "{web}"])) },
    "variables must be at most 256, not 40000"
  ],
  [
    "a list of numbers",
    { services: { web: { env: [1] } } },
    'services.web.env: env must be the name of a variable, or a list of names like ["PORT", "VITE_PORT"]'
  ],
  [
    "a number",
    { services: { web: { env: 1 } } },
    'services.web.env: env must be the name of a variable, or a list of names like ["PORT", "VITE_PORT"]'
  ],
  [
    "a bad name in a list",
    { services: { web: { env: ["PORT", "A-B"] } } },
    "services.web.env: env must be the name of a variable, like PORT or DB_PORT"
  ],
  ["a name twice in a list", { services: { web: { env: ["A", "A"] } } }, 'service "web" has the variable A twice'],
  [
    "a name that two services have",
    { services: { web: { env: ["A", "B"] }, db: { env: ["C", "B"] } } },
    'services "web" and "db" have the same variable B; give one another "env" in portctl.json'
  ]
]

sharedServer()("portctl.json is not trusted with", (it) => {
  for (const [name, contents, wrong] of bad) {
    it.scoped(name, () =>
      Effect.gen(function* () {
        const { call, file } = yield* withFile("bad", { services: { web: {} }, ...contents })
        expectError(yield* call("env"), `${file}: ${wrong}`)
      })
    )
  }
})
