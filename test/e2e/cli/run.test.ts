import { execFileSync, spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { constants } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { allocate, listed } from "../../support/Api.ts"
import { expectAnswer, expectError, expectUsageError } from "../../support/Expectations.ts"
import { realFolder, temporaryRepository, worktree } from "../../support/Git.ts"
import { startServerOnFreePorts } from "../../support/Listening.ts"
import { bin, type PortServer, portctl, start, startServer } from "../../support/Programs.ts"
import { closedAddress, listener } from "../../support/Sockets.ts"

/** A server and a repository named `proj` with a project file. */
const project = Effect.gen(function* () {
  const server = yield* startServer()
  const top = yield* temporaryRepository("proj")
  writeFileSync(
    join(top, "portctl.json"),
    JSON.stringify({ services: { web: { env: "WEB", prefer: 4000 }, db: { env: "PGPORT" } } })
  )
  return { server, top }
})

interface Options {
  readonly env?: Readonly<Record<string, string>>
}

const run = (server: PortServer, cwd: string, args: ReadonlyArray<string>, { env = {} }: Options = {}) =>
  portctl(["run", ...args], { server, cwd, env })

/** Start `portctl run` where a shell would. */
const started = (server: PortServer, cwd: string, script: string, ...args: ReadonlyArray<string>) =>
  start("sh", ["-c", script, bin.portctl, ...args], { cwd, env: { PORT_SERVER_ADDR: server.address } })

/** The note when another worktree first gets a port for web. */
const noteOfPreferred = "note: web prefers port 4000 and has 3001: 4000 belongs to proj/main/web (id=2)\n"

const print = ["--", "sh", "-c", 'echo "WEB=$WEB PGPORT=$PGPORT PORT=$PORT WEB_PORT=$WEB_PORT"']

describe.concurrent("portctl run: the variables", () => {
  it.scopedLive("--app and --instance go for a portctl inside, too", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const said = ["--quiet", "--app", "other", "--instance", "two", "--", bin.portctl, "ensure", "--json"]
      const { stdout } = yield* run(server, top, said)
      expect(JSON.parse(stdout)).toMatchObject({ app: "other", instance: "two" })
    })
  )

  it.scopedLive("are those of the project file's services, and one line on stderr says so", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      expect(yield* run(server, top, print)).toEqual({
        code: 0,
        signal: null,
        stdout: "WEB=4000 PGPORT=3000 PORT= WEB_PORT=\n",
        stderr: "proj/main: WEB=4000 PGPORT=3000\n"
      })
      expectAnswer(yield* run(server, top, ["--quiet", ...print]), "WEB=4000 PGPORT=3000 PORT= WEB_PORT=\n")
    })
  )

  it.scopedLive("of the one service that is named are PORT too", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      expect(yield* run(server, top, ["--service", "web", ...print])).toMatchObject({
        stdout: "WEB=4000 PGPORT=3000 PORT=4000 WEB_PORT=\n",
        stderr: "proj/main: PGPORT=3000 WEB=4000 PORT=4000\n"
      })
      expect(
        yield* run(server, top, ["--service", "mail", "--", "sh", "-c", 'echo "$WEB $MAIL_PORT $PORT"'])
      ).toMatchObject({
        stdout: "4000 3001 3001\n"
      })
      expect(yield* run(server, top, ["--service", "web,mail", ...print])).toMatchObject({
        stdout: "WEB=4000 PGPORT=3000 PORT= WEB_PORT=\n"
      })
    })
  )

  it.scopedLive("are PORT too where there is one service alone, with a file or without", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const top = yield* temporaryRepository("lone")
      expect(yield* run(server, top, ["--service", "web", ...print])).toMatchObject({
        stdout: "WEB= PGPORT= PORT=3000 WEB_PORT=3000\n",
        stderr: "lone/main: WEB_PORT=3000 PORT=3000\n"
      })
      // What has a port already needs no name, and what has none is web.
      const tree = worktree(top, join(top, "../tree"))
      expect(yield* run(server, tree, print)).toMatchObject({ stdout: "WEB= PGPORT= PORT=3001 WEB_PORT=3001\n" })
      expect(yield* run(server, top, print)).toMatchObject({ stdout: "WEB= PGPORT= PORT=3000 WEB_PORT=3000\n" })
    })
  )

  it.scopedLive(
    "that are set already stay as they are, and a line says so where they differ; an empty one is not set",
    () =>
      Effect.gen(function* () {
        const { server, top } = yield* project
        const env = { WEB: "81", PORT: "", PGPORT: "3000" }
        const note = "note: WEB is set to 81 already and stays (proj/main has 4000)\n"
        expect(yield* run(server, top, ["--service", "web", ...print], { env })).toMatchObject({
          stdout: "WEB=81 PGPORT=3000 PORT=4000 WEB_PORT=\n",
          stderr: `proj/main: PGPORT=3000 PORT=4000\n${note}`
        })
        expect(yield* run(server, top, print, { env: { WEB: "81", PGPORT: "x\u001b[1m" } })).toMatchObject({
          stdout: "WEB=81 PGPORT=x\u001b[1m PORT= WEB_PORT=\n",
          stderr: `${note}note: PGPORT is set to x\\u{1b}[1m already and stays (proj/main has 3000)\n`
        })
        expectAnswer(yield* run(server, top, ["--quiet", ...print], { env }), "WEB=81 PGPORT=3000 PORT= WEB_PORT=\n")
      })
  )

  it.scopedLive("that an outer run set are not the user's: a run in another worktree gives its own", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const tree = worktree(top, join(top, "../tree"))
      writeFileSync(join(tree, "portctl.json"), readFileSync(join(top, "portctl.json")))
      const inner = (script: string) => ["--", "sh", "-c", `cd '${tree}' && ${script}`, bin.portctl]
      const twice = '"$0" run -- sh -c \'echo "$WEB $PGPORT $PORT"; echo "$PORTCTL_RUN"\''
      expect(yield* run(server, top, ["--quiet", "--service", "web", ...inner(twice)])).toEqual({
        code: 0,
        signal: null,
        stdout: "3001 3002 \nPGPORT=3002 WEB=3001\n",
        stderr: `${noteOfPreferred}proj/tree: WEB=3001 PGPORT=3002\n`
      })
      // In the same worktree, PORT is the one that the outer run named.
      const again = ["--quiet", "--service", "web", "--", "sh", "-c", twice, bin.portctl]
      expect(yield* run(server, top, again)).toMatchObject({
        stdout: "4000 3000 4000\nPGPORT=3000 WEB=4000 PORT=4000\n",
        stderr: "proj/main: WEB=4000 PGPORT=3000\n"
      })
      // What is changed within the outer run, or was set outside it, is the user's.
      expect(
        yield* run(server, top, ["--quiet", ...inner(`WEB=5 ${twice}`)], { env: { PGPORT: "5000" } })
      ).toMatchObject({
        stdout: "5 5000 \n\n",
        stderr:
          "note: WEB is set to 5 already and stays (proj/tree has 3001)\nnote: PGPORT is set to 5000 already and stays (proj/tree has 3002)\n"
      })
    })
  )
})

describe.concurrent("portctl run: a variable with a port of another working copy", () => {
  const shown = ["--", "sh", "-c", 'echo "$WEB $PGPORT $PORT $URL"']

  /** {@link project} with a worktree that has the same project file, which has a variable that is made of a port, too. */
  const two = Effect.gen(function* () {
    const { server, top } = yield* project
    const tree = worktree(top, join(top, "../tree"))
    const file = {
      services: { web: { env: "WEB", prefer: 4000 }, db: { env: "PGPORT" } },
      variables: { URL: "x://localhost:{db}/y/{id}" }
    }
    for (const folder of [top, tree]) writeFileSync(join(folder, "portctl.json"), JSON.stringify(file))
    for (const folder of [top, tree]) yield* run(server, folder, ["--quiet", "--", "true"])
    return { server, top, tree }
  })

  it.scopedLive("is replaced, with a note, for it is not the user's choice", () =>
    Effect.gen(function* () {
      const { server, tree } = yield* two
      const env = { WEB: "4000", PGPORT: "3000", URL: "x://localhost:3000/y/{id}" }
      expect(yield* run(server, tree, shown, { env })).toMatchObject({
        stdout: "3001 3002  x://localhost:3002/y/{id}\n",
        stderr: [
          "proj/tree: WEB=3001 PGPORT=3002 URL=x://localhost:3002/y/{id}",
          "note: WEB was set to 4000, the port 4000 of proj/main/web, and is replaced",
          "note: PGPORT was set to 3000, the port 3000 of proj/main/db, and is replaced",
          "note: URL was set to x://localhost:3000/y/{id}, the port 3000 of proj/main/db, and is replaced",
          ""
        ].join("\n")
      })
      expectAnswer(yield* run(server, tree, ["--quiet", ...shown], { env }), "3001 3002  x://localhost:3002/y/{id}\n")
      // PORT would send the command to the other's port.
      expect(yield* run(server, tree, shown, { env: { PORT: "4000" } })).toMatchObject({
        stdout: "3001 3002  x://localhost:3002/y/{id}\n",
        stderr: expect.stringMatching(/note: PORT was set to 4000, the port 4000 of proj\/main\/web, and is removed\n$/)
      })
      expect(yield* run(server, tree, ["--service", "web", ...shown], { env: { PORT: "4000" } })).toMatchObject({
        stdout: "3001 3002 3001 x://localhost:3002/y/{id}\n",
        stderr: expect.stringMatching(
          /note: PORT was set to 4000, the port 4000 of proj\/main\/web, and is replaced\n$/
        )
      })
    })
  )

  it.scopedLive("that is another service's of this one is replaced in PORT where --service says whose PORT it is", () =>
    Effect.gen(function* () {
      const { server, top } = yield* two
      // As `portctl env` leaves it in a shell.
      const env = { WEB: "4000", PORT: "4000" }
      expect(yield* run(server, top, ["--service", "db", ...shown], { env })).toMatchObject({
        stdout: "4000 3000 3000 x://localhost:3000/y/{id}\n",
        stderr: expect.stringMatching(
          /\nnote: PORT was set to 4000, the port 4000 of proj\/main\/web, and is replaced\n$/
        )
      })
      expect(yield* run(server, top, shown, { env })).toMatchObject({
        stdout: "4000 3000 4000 x://localhost:3000/y/{id}\n"
      })
    })
  )

  it.scopedLive("that is no port, such as 0 for any, stays", () =>
    Effect.gen(function* () {
      const { server, top } = yield* two
      const env = { WEB: "0", PGPORT: "70000", URL: "x://localhost:00/y/{id}", PORT: "0" }
      expect(yield* run(server, top, ["--service", "web", ...shown], { env })).toMatchObject({
        stdout: "0 70000 0 x://localhost:00/y/{id}\n",
        stderr: [
          "note: PGPORT is set to 70000 already and stays (proj/main has 3000)",
          "note: WEB is set to 0 already and stays (proj/main has 4000)",
          "note: URL is set to x://localhost:00/y/{id} already and stays (proj/main has x://localhost:3000/y/{id})",
          "note: PORT is set to 0 already and stays (proj/main has 4000)",
          ""
        ].join("\n")
      })
    })
  )

  it.scopedLive("that is another port, of this working copy, or of no working copy stays", () =>
    Effect.gen(function* () {
      const { server, top, tree } = yield* two
      yield* allocate(server.port, { app: "shared", service: "postgres", port: 5432 })
      const env = { WEB: "3002", PGPORT: "5432", PORT: "81", URL: "x://localhost:5432/y/{id}" }
      expect(yield* run(server, tree, shown, { env })).toMatchObject({
        stdout: "3002 5432 81 x://localhost:5432/y/{id}\n",
        stderr: [
          "note: WEB is set to 3002 already and stays (proj/tree has 3001)",
          "note: PGPORT is set to 5432 already and stays (proj/tree has 3002)",
          "note: URL is set to x://localhost:5432/y/{id} already and stays (proj/tree has x://localhost:3002/y/{id})",
          ""
        ].join("\n")
      })
      expectAnswer(
        yield* run(server, top, ["--quiet", ...shown], { env: { WEB: "4000", PORT: "3000" } }),
        "4000 3000 3000 x://localhost:3000/y/{id}\n"
      )
    })
  )
})

it.scopedLive(
  "portctl run --service keeps the port of the service that has PORT otherwise, in its usual variable",
  () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      writeFileSync(join(top, "portctl.json"), JSON.stringify({ services: { web: { env: "PORT" }, db: {} } }))
      const print = ["--", "sh", "-c", 'echo "$PORT $WEB_PORT $DB_PORT"']
      expectAnswer(yield* run(server, top, ["--quiet", "--service", "db", ...print]), "3001 3000 3001\n")
      expectAnswer(yield* run(server, top, ["--quiet", "--service", "web", ...print]), "3000  3001\n")
      expectAnswer(yield* run(server, top, ["--quiet", ...print]), "3000  3001\n")
    })
)

describe.concurrent("portctl run: placeholders in arguments", () => {
  const words = (...args: ReadonlyArray<string>) => ["--quiet", "--", "printf", "[%s]", ...args]

  it.scopedLive("are the ports of services, and all else is as it was", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const asIs = [
        "{{.Names}}",
        "{x}",
        "{",
        "}",
        "{}",
        "{ db}",
        "{DB}",
        "{db",
        "$db",
        `\${db}`,
        `\${web:-{}`,
        `$\${{db}}`,
        "{a,b}",
        '"{',
        "",
        "{WEB}",
        "a\nb"
      ]
      expectAnswer(
        yield* run(
          server,
          top,
          words("{db}", "--port={web}", "{web}:{db}/{web}", "{{db}", "{{{db}", "{{db}}", ...asIs)
        ),
        `[3000][--port=4000][4000:3000/4000][{db}][{{db}][{db}}]${asIs.map((word) => `[${word}]`).join("")}`
      )
    })
  )

  it.scopedLive("{PORT} is what the command has as PORT", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      expectAnswer(yield* run(server, top, ["--service", "web", ...words("{PORT}", "{{PORT}")]), "[4000][{PORT}]")
      expectAnswer(yield* run(server, top, ["--service", "web", ...words("{PORT}")], { env: { PORT: "81" } }), "[81]")
      expectError(
        yield* run(server, top, words("{PORT}")),
        "{PORT} is the port of one service: name one with --service, or use {web} or {db}"
      )
      expectAnswer(yield* run(server, top, words("{{PORT}")), "[{PORT}]")
      const fresh = yield* temporaryRepository("fresh")
      expectAnswer(yield* run(server, fresh, words("{PORT}", "{web}")), "[3001][3001]")
    })
  )

  it.scopedLive("leave the variables of a shell to it", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const script = `PORT=5; web=6; echo \${PORT} \${web} \${PORT:-{web}}`
      expectAnswer(yield* run(server, top, ["--quiet", "--", "sh", "-c", script]), "5 6 5\n")
    })
  )

  it.scopedLive("beside bytes that are not UTF-8, in many words, and in the command itself", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      writeFileSync(join(top, "run-4000"), '#!/bin/sh\necho "ran $*"\n')
      chmodSync(join(top, "run-4000"), 0o755)
      const script = [
        `"$0" run --quiet -- printf '[%s]' $'caf\\xe9{db}\\xff' $'\\xe9' 'größe{db}' "it's {db}" '{db}' | base64 -w0; echo`,
        `"$0" run --quiet -- ./run-{web} {db}`,
        `"$0" run --quiet -- sh -c 'echo $# $1 \${2000}' {db} $(seq 1999) {db}`
      ].join("\n")
      const running = yield* start("bash", ["-c", script, bin.portctl], {
        cwd: top,
        env: { PORT_SERVER_ADDR: server.address }
      })
      const { stderr, stdout } = yield* running.ended
      const [base64 = "", ...rest] = stdout.split("\n")
      expect(Buffer.from(base64, "base64").toString("latin1")).toBe(
        Buffer.from("[caf?3000!][?][größe3000][it's 3000][3000]")
          .toString("latin1")
          .replaceAll("?", "\u00e9")
          .replace("!", "\u00ff")
      )
      expect([...rest, stderr]).toEqual(["ran 3000", "2000 1 3000", "", ""])
    })
  )

  it.scopedLive("of a service that is named on the command line, or whose name is no ASCII", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      expectAnswer(
        yield* run(server, top, ["--service", "größe,a+1", ...words("{größe}", "x{a+1}x")]),
        "[3001][x3002x]"
      )
    })
  )
})

describe.concurrent("portctl run: the command", () => {
  it.scopedLive("gets everything after -- as it stands", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const args = [
        "--help",
        "-h",
        "--version",
        "--",
        "",
        "a b",
        "$HOME",
        "--service",
        "x",
        "--completions",
        "'\n'",
        "--json=1"
      ]
      const ended = yield* run(server, top, [
        "--quiet",
        "--",
        process.execPath,
        "-e",
        "console.log(JSON.stringify(process.argv.slice(1)))",
        "--",
        ...args
      ])
      expectAnswer(ended, `${JSON.stringify(args)}\n`)
    })
  )

  it.scopedLive("runs in the folder where portctl was started", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      mkdirSync(join(top, "src"))
      expectAnswer(yield* run(server, join(top, "src"), ["--quiet", "--", "pwd"]), `${top}/src\n`)
    })
  )

  for (const status of [0, 1, 3, 126, 127, 130, 255]) {
    it.scopedLive(`that exits with ${status} makes portctl exit with ${status}, and nothing is added`, () =>
      Effect.gen(function* () {
        const { server, top } = yield* project
        expect(
          yield* run(server, top, ["--quiet", "--", "sh", "-c", `echo out; echo err >&2; exit ${status}`])
        ).toEqual({
          code: status,
          signal: null,
          stdout: "out\n",
          stderr: "err\n"
        })
      })
    )
  }

  for (const signal of [
    "SIGTERM",
    "SIGINT",
    "SIGHUP",
    "SIGQUIT",
    "SIGKILL",
    "SIGUSR1",
    "SIGUSR2",
    "SIGPIPE",
    "SIGABRT",
    "SIGALRM"
  ] as const) {
    it.scopedLive(`that dies by ${signal} makes portctl die by it`, () =>
      Effect.gen(function* () {
        const { server, top } = yield* project
        const script = `ulimit -c 0; exec "$0" run --quiet -- sh -c 'kill -${constants.signals[signal]} $$'`
        const { ended } = yield* started(server, top, script)
        expect(yield* ended).toEqual({ code: null, signal, stdout: "", stderr: "" })
      })
    )
  }

  it.scopedLive("that is not found is 127, one that cannot be run 126", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      writeFileSync(join(top, "data"), "")
      const cases: ReadonlyArray<readonly [command: string, status: number, sentence: string]> = [
        ["no-such-command", 127, 'command not found: "no-such-command"'],
        ["", 127, 'command not found: ""'],
        ["./nowhere/x", 127, 'command not found: "./nowhere/x"'],
        ["./data", 126, 'cannot run "./data": it is not an executable file'],
        [top, 126, `cannot run ${JSON.stringify(top)}: it is not an executable file`]
      ]
      for (const [command, status, sentence] of cases) {
        expect(yield* run(server, top, ["--quiet", "--", command, "--help"])).toEqual({
          code: status,
          signal: null,
          stdout: "",
          stderr: `error: ${sentence}\n`
        })
      }
    })
  )

  it.scopedLive("may be a script without an interpreter, as in a shell", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      writeFileSync(join(top, "plain"), 'echo "$PGPORT $1"\n')
      chmodSync(join(top, "plain"), 0o755)
      expectAnswer(yield* run(server, top, ["--quiet", "--", "./plain", "x"]), "3000 x\n")
    })
  )
})

describe.concurrent("portctl run: the streams", () => {
  it.scopedLive("of many megabytes go through to the last byte, in and out", () =>
    Effect.gen(function* () {
      const { top } = yield* project
      // Nothing listens on its port: a warning would be one line more.
      const server = yield* startServerOnFreePorts(3)
      const megabytes = 64
      const script = `head -c ${megabytes}M /dev/urandom | tee >(sha256sum >&3) | "$0" run --quiet -- sh -c 'tee /dev/stderr' 2> >(sha256sum >&3) | sha256sum >&3`
      const running = yield* start("bash", ["-c", `exec 3>&1; ${script}; wait`, bin.portctl], {
        cwd: top,
        env: { PORT_SERVER_ADDR: server.address }
      })
      const { stderr, stdout } = yield* running.ended
      expect(stderr).toBe("")
      const sums = stdout.trim().split("\n")
      expect(sums.length).toBe(3)
      expect(new Set(sums).size).toBe(1)
    })
  )

  it.scopedLive("are the command's own: a pipe that is full makes it wait and does not fail it", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const script = '"$0" run --quiet -- dd if=/dev/zero bs=1M count=16 status=none | wc -c'
      const running = yield* start("bash", ["-c", `set -o pipefail; ${script}`, bin.portctl], {
        cwd: top,
        env: { PORT_SERVER_ADDR: server.address }
      })
      const ended = yield* running.ended
      expect(ended).toMatchObject({ code: 0, stdout: `${16 * 1024 * 1024}\n`, stderr: "" })
    })
  )

  it.scopedLive("nothing of the input is taken from the command", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const { ended } = yield* started(server, top, `printf 'one\\ntwo\\n' | { "$0" run --quiet -- head -c 4; cat; }`)
      expectAnswer(yield* ended, "one\ntwo\n")
    })
  )

  it.scopedLive("a reader that goes away ends the command by its pipe, as without portctl", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const running = yield* start(
        "bash",
        ["-c", '"$0" run --quiet -- yes | head -n 1; echo $PIPESTATUS', bin.portctl],
        {
          cwd: top,
          env: { PORT_SERVER_ADDR: server.address }
        }
      )
      expectAnswer(yield* running.ended, `y\n${128 + constants.signals.SIGPIPE}\n`)
    })
  )
})

/** Tells each signal that it gets, and on SIGTERM ends with the number of those before it. */
const counting = `
let count = 0
for (const signal of ["SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"]) process.on(signal, () => { count++; console.log("got", signal) })
process.on("SIGTERM", () => { console.log("count", count); process.exit(count) })
setInterval(() => {}, 1000)
console.log("ready")
`

describe.concurrent("portctl run: signals", () => {
  it.scopedLive("to portctl reach the command once each, and it decides what they do", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const running = yield* start(bin.portctl, ["run", "--quiet", "--", process.execPath, "-e", counting], {
        cwd: top,
        env: { PORT_SERVER_ADDR: server.address }
      })
      yield* running.printed(/ready/)
      for (const signal of ["SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) {
        process.kill(running.pid, signal)
        yield* running.printed(new RegExp(`got ${signal}`))
      }
      process.kill(running.pid, "SIGTERM")
      expect(yield* running.ended).toMatchObject({ code: 5, signal: null, stderr: "" })
      expect(running.output.stdout).toMatch(/count 5\n$/)
    })
  )

  it.scopedLive("that end the command end portctl by the same one", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const running = yield* start(bin.portctl, ["run", "--quiet", "--", "sh", "-c", "echo ready; exec sleep 60"], {
        cwd: top,
        env: { PORT_SERVER_ADDR: server.address }
      })
      yield* running.printed(/ready/)
      process.kill(running.pid, "SIGTERM")
      expect(yield* running.ended).toMatchObject({ code: null, signal: "SIGTERM", stderr: "" })
    })
  )

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it.scopedLive(`${signal} before the command has started ends portctl by it`, () =>
      Effect.gen(function* () {
        const connected = yield* Deferred.make<void>()
        const { address } = yield* listener(() => Deferred.unsafeDone(connected, Effect.void))
        const running = yield* start(bin.portctl, ["run", "--service", "web", "--", "echo", "started"], {
          cwd: yield* realFolder,
          env: { PORT_SERVER_ADDR: address }
        })
        yield* Deferred.await(connected)
        process.kill(running.pid, signal)
        expect(yield* running.ended).toEqual({ code: null, signal, stdout: "", stderr: "" })
      })
    )
  }

  const hasPython = spawnSync("python3", ["-c", "import pty"]).status === 0

  // Runs a command on a terminal of its own, types what is asked when a text appears, and tells all output and the end.
  const terminal = `
import json, os, pty, signal, sys
steps, command = json.loads(sys.argv[1]), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
output = b""
while True:
    while steps and steps[0][0].encode() in output:
        _, action = steps.pop(0)
        if action == "TERM": os.kill(pid, signal.SIGTERM)
        else: os.write(fd, action.encode())
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data: break
    output += data
_, status = os.waitpid(pid, 0)
print(json.dumps({"output": output.decode(), "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None, "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None}))
`

  const onTerminal = (
    server: PortServer,
    cwd: string,
    steps: ReadonlyArray<readonly [seen: string, action: string]>,
    ...command: ReadonlyArray<string>
  ) =>
    Effect.gen(function* () {
      const args = ["-c", terminal, JSON.stringify(steps), bin.portctl, "run", "--quiet", "--", ...command]
      const running = yield* start("python3", args, { cwd, env: { PORT_SERVER_ADDR: server.address } })
      const { stderr, stdout } = yield* running.ended
      expect(stderr).toBe("")
      const told: unknown = JSON.parse(stdout)
      return told
    })

  for (const [key, name, signal] of [
    ["\u0003", "Ctrl-C", "SIGINT"],
    ["\u001c", "Ctrl-\\", "SIGQUIT"]
  ] as const) {
    it.scopedLive.skipIf(!hasPython)(`${name} on a terminal reaches the command once`, () =>
      Effect.gen(function* () {
        const { server, top } = yield* project
        const steps = [
          ["ready", key],
          [`got ${signal}`, "TERM"]
        ] as const
        expect(yield* onTerminal(server, top, steps, process.execPath, "-e", counting)).toMatchObject({
          output: expect.stringMatching(/count 1\r\n$/),
          code: 1,
          signal: null
        })
      })
    )
  }

  it.scopedLive.skipIf(!hasPython)("Ctrl-C that ends the command ends portctl by SIGINT", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const steps = [["ready", "\u0003"]] as const
      expect(yield* onTerminal(server, top, steps, "sh", "-c", "echo ready; exec sleep 60")).toMatchObject({
        code: null,
        signal: constants.signals.SIGINT
      })
    })
  )

  it.scopedLive.skipIf(!hasPython)(
    "a command on a terminal has the terminal: it reads keys and is in the foreground",
    () =>
      Effect.gen(function* () {
        const { server, top } = yield* project
        const script =
          'test -t 0 && test -t 1 && test -t 2 && echo ready && read -r line && echo "read $line" && exit 4'
        expect(yield* onTerminal(server, top, [["ready", "typed\n"]], "sh", "-c", script)).toMatchObject({
          output: expect.stringContaining("read typed"),
          code: 4
        })
      })
  )
})

describe.concurrent("a command line that run cannot follow", () => {
  for (const args of [[], ["echo"], ["--"], ["--quiet"], ["--service", "web"], ["echo", "--"]]) {
    it.scopedLive(`refuses ${JSON.stringify(args)}, and sends nothing`, () =>
      Effect.gen(function* () {
        const { address, connections } = yield* listener()
        const ended = yield* portctl(["run", ...args], { env: { PORT_SERVER_ADDR: address } })
        expectUsageError(ended, /the command goes after --/, "portctl run")
        expect(connections()).toBe(0)
      })
    )
  }

  it.scopedLive("refuses a stray argument and an unknown flag before --", () =>
    Effect.gen(function* () {
      expectUsageError(yield* portctl(["run", "echo", "--", "echo"]), /unexpected argument "echo"/, "portctl run")
      expectUsageError(yield* portctl(["run", "--port", "3", "--", "echo"]), /unknown option --port/, "portctl run")
    })
  )

  it.scopedLive("runs nothing when there are no ports to be had", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const { port } = server
      execFileSync(bin.portctl, ["allocate", "--app", "x", "--instance", "y", "--service", "z", "--port", "5000"], {
        env: { PATH: process.env["PATH"] ?? "", PORT_SERVER_ADDR: server.address }
      })
      expectError(
        yield* run(server, top, ["--service", "web=5000", "--", "echo", "started"]),
        "port 5000 is already allocated to x/y/z (id=1)"
      )
      expect(yield* listed(port, "proj")).toEqual([])
      const ended = yield* portctl(["run", "--", "echo", "started"], {
        cwd: top,
        env: { PORT_SERVER_ADDR: yield* closedAddress, PORTCTL_AUTOSTART: "0" }
      })
      expect(ended).toMatchObject({ code: 69, stdout: "" })
      expect(ended.stderr).toMatch(/^error: cannot reach port-server/)
    })
  )
})
