import { execFileSync, spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Server, sharedServer } from "../../support/Api.ts"
import { isAlive, pidAt } from "../../support/Daemon.ts"
import { expectAnswer, expectError } from "../../support/Expectations.ts"
import { realFolder, temporaryRepository } from "../../support/Git.ts"
import { freePorts } from "../../support/Listening.ts"
import { bin, start, startServer, temporaryFolder } from "../../support/Programs.ts"
import { shells } from "../../support/Shells.ts"
import { listener } from "../../support/Sockets.ts"
import { noTerminal, onTerminal } from "../../support/Terminals.ts"

/** Prints each signal that it gets, and ends on SIGUSR2 with how many there were. */
const counting = `
let count = 0
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) process.on(signal, () => { count++; console.log("got", signal) })
process.on("SIGUSR2", () => { console.log("count", count); process.exit(count) })
setInterval(() => {}, 1000)
console.log("ready")
`

/** Those of a process, name=value each, one character a byte. */
const variables = (base64: string): ReadonlyArray<string> =>
  Buffer.from(base64, "base64").toString("latin1").split("\0").slice(0, -1).sort()

/** A PATH whose first folder has this script. */
const makeTool = (folder: string, name: string, script: string): string => {
  const path = process.env["PATH"] ?? ""
  writeFileSync(join(folder, name), `#!/bin/sh\nPATH=${path}\n${script}\n`, { mode: 0o755 })
  return `${folder}:${path}`
}

for (const shell of shells) {
  const words = [...shell, bin.portctl]

  /** A project with one service, and a folder for temporary files. */
  const project = Effect.gen(function* () {
    const server = yield* Server
    const top = yield* temporaryRepository(`proj-${randomUUID()}`)
    const temporary = join(top, "tmp")
    mkdirSync(temporary)
    writeFileSync(join(top, "portctl.json"), JSON.stringify({ services: { web: { env: "WEB" } } }))
    const env = { PORT_SERVER_ADDR: server.address, TMPDIR: temporary }
    return {
      env,
      temporary,
      top,
      run: (...command: ReadonlyArray<string>) => {
        const [program = "", ...args] = [...words, "run", "--quiet", "--", ...command]
        return start(program, args, { cwd: top, env })
      },
      /** Run a script of bash, in which `run` stands for `portctl run --quiet --`. */
      bash: (script: string, more: Readonly<Record<string, string>> = {}) =>
        Effect.flatMap(
          start("bash", ["-c", `run() { ${shell.join(" ")} "$0" run --quiet -- "$@"; }\n${script}`, bin.portctl], {
            cwd: top,
            env: { ...env, ...more }
          }),
          ({ ended }) => ended
        )
    }
  })

  sharedServer()(`portctl run under ${shell.join(" ")}: the command's process`, (it) => {
    it.scoped("is portctl's own: the same number, without a child", () =>
      Effect.gen(function* () {
        const { run } = yield* project
        const running = yield* run("sh", "-c", "echo ready; exec sleep 60")
        yield* running.printed(/ready/)
        const { pid } = running
        yield* Effect.iterate("", {
          while: (name) => name !== "sleep\n",
          body: () =>
            Effect.delay(
              Effect.sync(() => readFileSync(`/proc/${pid}/comm`, "utf8")),
              "10 millis"
            )
        })
        expect(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")).toBe("")
      })
    )

    it.scoped("gets each signal to the process group once", () =>
      Effect.gen(function* () {
        const { env, top } = yield* project
        const command = ["run", "--quiet", "--", process.execPath, "-e", counting]
        const running = yield* start("setsid", [...words, ...command], { cwd: top, env })
        yield* running.printed(/ready/)
        const signals = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const
        for (const signal of signals) {
          process.kill(-running.pid, signal)
          yield* running.printed(new RegExp(`got ${signal}`))
        }
        process.kill(-running.pid, "SIGUSR2")
        expect(yield* running.ended).toMatchObject({ code: signals.length, signal: null, stderr: "" })
      })
    )

    it.scoped("gets a SIGINT to portctl alone", () =>
      Effect.gen(function* () {
        const { run } = yield* project
        const running = yield* run(process.execPath, "-e", counting)
        yield* running.printed(/ready/)
        process.kill(running.pid, "SIGINT")
        yield* running.printed(/got SIGINT/)
        process.kill(running.pid, "SIGUSR2")
        expect(yield* running.ended).toMatchObject({ code: 1, signal: null, stderr: "" })
      })
    )

    it.scoped.skipIf(noTerminal !== undefined)("can stop itself, and the shell has the terminal until it goes on", () =>
      Effect.gen(function* () {
        const { env, top } = yield* project
        const command = `${words.join(" ")} run --quiet -- sh -c 'echo first; kill -TSTP $$; echo second'`
        const { stdout } = yield* onTerminal(["bash", "--norc", "--noprofile", "-i"], {
          cwd: top,
          env,
          typing: [
            ["bash-", `${command}\n`],
            ["Stopped", "echo typed-$((1 + 1))\n"],
            ["typed-2", "fg\n"],
            ["second\r\n", "exit 0\n"]
          ]
        })
        expect(stdout).toMatch(/first\n.*Stopped.*typed-2\n.*second\n/s)
      })
    )

    it.scoped("ignores what was ignored where portctl was started, as under nohup", () =>
      Effect.gen(function* () {
        const { bash } = yield* project
        const ended = yield* bash(
          `trap '' HUP INT QUIT TERM USR1 TSTP PIPE RTMIN+3\ngrep SigIgn /proc/self/status; run grep SigIgn /proc/self/status`
        )
        const [direct, through, ...rest] = ended.stdout.split("\n")
        expect(direct).toMatch(/^SigIgn:\t[0-9a-f]{16}$/)
        expect([through, ...rest, ended.stderr]).toEqual([direct, "", ""])
      })
    )

    it.scoped("starts, and has its functions, whatever functions bash exports", () =>
      Effect.gen(function* () {
        const { bash } = yield* project
        const names = "cat command echo env kill mktemp printf read readlink rm test wait"
        const ended = yield* bash(
          `shadow() { for name in ${names}; do
             eval "$name() { builtin echo mine: $name; }"; builtin export -f "$name"
           done; }
           ln -s "$0" tmp/portctl; link=$PWD/tmp/portctl
           shadow
           ${shell.join(" ")} "$link" --version
           run bash -c 'cat; command; mktemp'`
        )
        const [version, ...rest] = ended.stdout.split("\n")
        expect(version).toMatch(/^\d+\.\d+/)
        expect([...rest, ended.stderr]).toEqual(["mine: cat", "mine: command", "mine: mktemp", "", ""])
      })
    )

    it.scoped("starts where SIGCHLD is blocked or ignored", () =>
      Effect.gen(function* () {
        const { env, top } = yield* project
        for (const how of [
          "pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])",
          "signal(signal.SIGCHLD, signal.SIG_IGN)"
        ]) {
          const code = `import os, signal, sys\nsignal.${how}\nos.execvp(sys.argv[1], sys.argv[1:])`
          const command = [...words, "run", "--quiet", "--", "sh", "-c", "echo $WEB; exit 7"]
          const running = yield* start("python3", ["-c", code, ...command], { cwd: top, env })
          expect(yield* running.ended).toMatchObject({ code: 7, stdout: expect.stringMatching(/^\d+\n$/), stderr: "" })
        }
      })
    )

    it.scoped("blocks and catches no signal of portctl's", () =>
      Effect.gen(function* () {
        const { bash } = yield* project
        const show = "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status"
        const { stdout } = yield* bash(`${show}; run ${show}`)
        const lines = stdout.trimEnd().split("\n")
        expect(lines).toHaveLength(6)
        expect(lines.slice(3)).toEqual(lines.slice(0, 3))
      })
    )

    it.scoped("that dies by a real-time signal is seen to die by it", () =>
      Effect.gen(function* () {
        const { bash } = yield* project
        const ended = yield* bash(`run sh -c 'kill -40 $$' 2>/dev/null; echo $?`)
        expect(ended).toMatchObject({ code: 0, stdout: "168\n" })
      })
    )

    it.scoped("has every descriptor above 2 that portctl was given, and no other", () =>
      Effect.gen(function* () {
        const { bash, top } = yield* project
        writeFileSync(join(top, "input"), "input\n")
        // 3 and 4 as make's jobserver has them; 10 and 255 are numbers that shells take for themselves.
        const open = `exec 3< <(echo jobs) 4>out4 8<input 9>out9 10>out10 77>out77 200>out200 255>out255`
        const list = "ls /proc/self/fd"
        const ended = yield* bash(
          `${open}\nsh -c '${list}'; echo; run sh -c '${list}; cat <&3; cat <&8; echo to-4 >&4; echo to-9 >&9'; cat out4 out9`
        )
        const [direct = "", through = ""] = ended.stdout.split("\n\n")
        expect(direct.split("\n")).toEqual(expect.arrayContaining(["3", "4", "8", "9", "10", "77", "200"]))
        expect(through).toBe(`${direct}\njobs\ninput\nto-4\nto-9\n`)
        expect(ended.stderr).toBe("")
      })
    )

    it.scoped("may be started with its streams closed", () =>
      Effect.gen(function* () {
        const { bash, top } = yield* project
        expectAnswer(yield* bash(`run sh -c 'echo done > done' <&- >&- 2>&-; cat done`), "done\n")
        expect(existsSync(join(top, "done"))).toBe(true)
      })
    )

    it.scoped("gets its arguments byte for byte", () =>
      Effect.gen(function* () {
        const { bash } = yield* project
        const bytes = Array.from({ length: 255 }, (_, index) => `\\x${(index + 1).toString(16).padStart(2, "0")}`).join(
          ""
        )
        const args = `$'${bytes.replace("\\x27", "\\'").replace("\\x5c", "\\\\")}' '' $'caf\\xe9' $'line\\n' -- --help '*' 'a b'`
        const ended = yield* bash(`run sh -c 'cat /proc/$$/cmdline | base64 -w0' sh ${args}`)
        const got = Buffer.from(ended.stdout, "base64").toString("latin1").split("\0")
        const every = Array.from({ length: 255 }, (_, index) => String.fromCharCode(index + 1)).join("")
        expect(got.slice(4)).toEqual([every, "", "caf\u00e9", "line\n", "--", "--help", "*", "a b", ""])
        expect(ended.stderr).toBe("")
      })
    )

    it.scoped("may have a name that is not UTF-8, or one that env takes for a variable", () =>
      Effect.gen(function* () {
        const { bash } = yield* project
        const make = `printf '#!/bin/sh\\necho "ran $1"\\n' > "$1"; chmod +x "$1"`
        const ended = yield* bash(
          `make() { ${make}; }\nfor name in $'./caf\\xe9' ./A=1 ./-x; do make "$name"; run "$name" arg; done\nPATH=$PWD:$PATH\nrun A=1 two\nrun $'./none\\xe9' 2>/dev/null; echo $?`
        )
        expectAnswer(ended, "ran arg\nran arg\nran arg\nran two\n127\n")
      })
    )

    it.scoped("has the limits of where portctl was started", () =>
      Effect.gen(function* () {
        const { bash } = yield* project
        expectAnswer(
          yield* bash("ulimit -Sn 203; ulimit -Sc 0; run sh -c 'ulimit -Sn; ulimit -Sc'; umask 027; run sh -c umask"),
          "203\n0\n0027\n"
        )
      })
    )
  })

  sharedServer()(`portctl run under ${shell.join(" ")}: the command's environment`, (it) => {
    const cases: ReadonlyArray<readonly [name: string, variables: string]> = [
      ["has nothing but what was there and the ports", ""],
      [
        "has variables whose name no shell can hold",
        `'a.b=1' 'npm_config_x-y=2' 'npm_config_//h/:_authToken=it'"'"'s' $'BASH_FUNC_f%%=() {  echo "a\\n"; }' '1=one' '-u=minus' ' =blank' $'caf\\xe9=latin' 'spring.x='`
      ],
      ["has PWD, OLDPWD, SHLVL and _ as they were", "PWD=/odd OLDPWD=/older SHLVL=7 _=/under"],
      ["has them also where they were empty", "PWD= OLDPWD= SHLVL= _="],
      [
        "has what shells have a use of their own for",
        "IFS=: OPTIND=5 PPID=1 UID=2 EUID=x RANDOM=3 SECONDS=4 LINENO=8 PS1='$ ' PS4=x ENV=/nowhere BASH_ENV=/nowhere CDPATH=/ FUNCNAME=z BASH_VERSION=1 HISTCMD=4 GROUPS=9 DIRSTACK=x MAIL=/m"
      ],
      [
        "has what the script has a use of its own for",
        "file=1 folder=2 node=3 target=4 pid=5 status=6 script=7 scratch=8 name=9 mask=10 signal=11 PORTCTL_EXEC_FD=12 PORTCTL_EXEC_PID=13"
      ],
      [
        "has every byte",
        `$'ANY=${Array.from({ length: 255 }, (_, index) => `\\x${(index + 1).toString(16).padStart(2, "0")}`).join("")}' $'lines=one\\n\\ntwo\\n\\n' 'any.where='$'\\x81\\x82\\x83\\x84\\x85\\x86\\x87\\x88\\x01\\x7f'\`printf '\\'\`'$(x)"' LC_ALL=C.UTF-8`
      ],
      [
        "has what Node has a use of its own for",
        `NODE_OPTIONS=--no-such-option NODE_EXTRA_CA_CERTS=/nowhere NODE_REPL_EXTERNAL_MODULE=/nowhere NODE_PATH=/x NODE_DEBUG=fs NODE_CHANNEL_FD=8 NODE_V8_COVERAGE=/nowhere/x NODE_TLS_REJECT_UNAUTHORIZED=0 OPENSSL_CONF=/nowhere`
      ],
      [
        "has that also where it is empty",
        "NODE_OPTIONS= NODE_EXTRA_CA_CERTS= NODE_PATH= NODE_DEBUG= NODE_CHANNEL_FD= OPENSSL_CONF="
      ]
    ]
    for (const [name, set] of cases) {
      it.scoped(name, () =>
        Effect.gen(function* () {
          const { bash } = yield* project
          const clean = `env -i -- PATH="$PATH" TMPDIR="$TMPDIR" PORT_SERVER_ADDR="$PORT_SERVER_ADDR" ${set}`
          const through = `${words.join(" ")} run --quiet --`
          const ended = yield* bash(
            `${clean} cat /proc/self/environ | base64 -w0; echo; ${clean} ${through} cat /proc/self/environ | base64 -w0`
          )
          const [direct = "", ran = ""] = ended.stdout.split("\n")
          expect(ended.stderr).toBe("")
          expect(variables(direct).length).toBeGreaterThan(2)
          const web = variables(ran).find((variable) => variable.startsWith("WEB=")) ?? ""
          const port = web.replace("WEB", "PORT")
          expect(web).toMatch(/^WEB=\d+$/)
          expect(variables(ran)).toEqual([...variables(direct), web, port, `PORTCTL_RUN=${web} ${port}`].sort())
        })
      )
    }

    it.scoped("may be large", () =>
      Effect.gen(function* () {
        const { bash } = yield* project
        // With what is doubled, this would be more than the system takes.
        const ended = yield* bash(
          `for i in {1..10}; do export BIG$i="$(head -c 100000 /dev/zero | tr '\\0' x)"; done; run sh -c 'echo \${#BIG1} \${#BIG10}'`
        )
        expectAnswer(ended, "100000 100000\n")
      })
    )
  })

  sharedServer()(`portctl run under ${shell.join(" ")}: before the command`, (it) => {
    /** `portctl run` that waits for a server which never answers, in a session of its own. */
    const waiting = (prefix: ReadonlyArray<string> = ["setsid"]) =>
      Effect.gen(function* () {
        const connected = yield* Deferred.make<void>()
        const { address, connections } = yield* listener(() => Deferred.unsafeDone(connected, Effect.void))
        const temporary = yield* temporaryFolder
        const [program = "", ...args] = [...prefix, ...words, "run", "--service", "web", "--", "echo", "started"]
        const running = yield* start(program, args, {
          cwd: yield* realFolder,
          env: { PORT_SERVER_ADDR: address, TMPDIR: temporary }
        })
        yield* Deferred.await(connected)
        const children = readFileSync(`/proc/${running.pid}/task/${running.pid}/children`, "utf8").trim().split(" ")
        return { running, connections, temporary, node: Number(children[0]) }
      })

    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
      for (const [whom, sign] of [
        ["portctl alone", 1],
        ["the process group", -1]
      ] as const) {
        it.scoped(`${signal} to ${whom} ends all of it`, () =>
          Effect.gen(function* () {
            const { node, running, temporary } = yield* waiting()
            process.kill(sign * running.pid, signal)
            // Its streams close when the last process is gone that has them.
            const ended = yield* running.ended
            // Some shells do not die of a SIGQUIT.
            if (signal === "SIGQUIT" && ended.code !== null) expect(ended.code).toBe(131)
            else expect(ended).toMatchObject({ code: null, signal })
            expect(ended).toMatchObject({ stdout: "", stderr: "" })
            expect(isAlive(node)).toBe(false)
            expect(readdirSync(temporary)).toEqual([])
          })
        )
      }
    }

    it.scoped("a signal that is ignored ends nothing", () =>
      Effect.gen(function* () {
        const { connections, node, running } = yield* waiting([
          "setsid",
          "bash",
          "-c",
          "trap '' HUP INT TERM; exec \"$@\"",
          "bash"
        ])
        for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
          const before = connections()
          process.kill(-running.pid, signal)
          yield* Effect.iterate(0, {
            while: (now) => now <= before,
            body: () => Effect.delay(Effect.sync(connections), "20 millis")
          })
        }
        expect(isAlive(running.pid)).toBe(true)
        expect(isAlive(node)).toBe(false)
        process.kill(-running.pid, "SIGKILL")
        expect(yield* running.ended).toMatchObject({ signal: "SIGKILL", stdout: "", stderr: "" })
      })
    )

    it.scoped("leaves no file behind, whatever ends it", () =>
      Effect.gen(function* () {
        const { node, running, temporary } = yield* waiting()
        expect(readdirSync(temporary)).toEqual([])
        process.kill(running.pid, "SIGKILL")
        process.kill(node, "SIGKILL")
        yield* running.ended
        expect(readdirSync(temporary)).toEqual([])
        const { run, temporary: other } = yield* project
        expectAnswer(yield* (yield* run("sh", "-c", "ls -A tmp")).ended, "")
        expect(readdirSync(other)).toEqual([])
      })
    )

    it.scoped("starts the server where none runs, which holds nothing of portctl's", () =>
      Effect.gen(function* () {
        const { top } = yield* project
        const port = yield* freePorts(1)
        const env = { HOME: yield* temporaryFolder, PORT_SERVER_ADDR: `127.0.0.1:${port}` }
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => execFileSync(bin.portctl, ["stop"], { env: { ...process.env, ...env } }))
        )
        const [program = "", ...args] = [...words, "run", "--quiet", "--", "echo", "done"]
        const ended = yield* (yield* start(program, args, { cwd: top, env })).ended
        expect(ended).toMatchObject({ code: 0, stdout: "done\n" })
        expect(ended.stderr).toMatch(/^started port-server at [^\n]+\n$/)
        const pid = yield* pidAt(port)
        // Descriptors come and go while they are read.
        const files = spawnSync("ls", ["-l", `/proc/${pid}/fd`], { encoding: "utf8" }).stdout.split("\n")
        expect(files.length).toBeGreaterThan(3)
        expect(files.filter((file) => /portctl-|script/.test(file))).toEqual([])
      })
    )

    it.scoped("takes another folder for temporary files where TMPDIR is gone", () =>
      Effect.gen(function* () {
        const { bash, temporary } = yield* project
        expectAnswer(
          yield* bash('run sh -c "echo started in $TMPDIR"', { TMPDIR: "/nowhere" }),
          "started in /nowhere\n"
        )
        const path = makeTool(temporary, "mktemp", 'case $2 in /tmp/* | /nowhere/*) exit 1 ;; esac; exec mktemp "$@"')
        const ended = yield* bash("run echo started", {
          TMPDIR: "/nowhere",
          XDG_RUNTIME_DIR: temporary,
          PATH: path
        })
        expect(ended).toMatchObject({ stdout: "started\n" })
        expect(readdirSync(temporary)).toEqual(["mktemp"])
      })
    )

    it.scoped("says in one line why there can be no temporary file", () =>
      Effect.gen(function* () {
        const { bash, temporary } = yield* project
        const path = makeTool(temporary, "mktemp", "echo no >&2; exit 1")
        expectError(
          yield* bash("run echo started", { TMPDIR: "/nowhere", PATH: path }),
          "cannot make a folder for temporary files in /nowhere, /tmp, /var/tmp or /dev/shm: set TMPDIR to one that can be written"
        )
      })
    )
  })
}

it.scopedLive("portctl run that is not started by its script says what it needs", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const running = yield* start(
      process.execPath,
      [`${bin.portctl}.cjs`, "run", "--service", "web", "--quiet", "--", "echo", "started"],
      { cwd: yield* realFolder, env: { PORT_SERVER_ADDR: server.address } }
    )
    expectError(
      yield* running.ended,
      "portctl run and compose need the shell script bin/portctl, which becomes the command"
    )
  })
)

const nextPid = "/proc/sys/kernel/ns_last_pid"

it.scopedLive.skipIf(spawnSync("unshare", ["--pid", "--fork", "sh", "-c", `echo 9 > ${nextPid}`]).status !== 0)(
  "portctl run has its own variables where /proc is that of another PID namespace",
  () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      // Another process, and inside portctl's script with the same number.
      const other = yield* start("sleep", ["100"], { env: { MINE: "no" } })
      const script = `echo "$(($0 - 1))" > ${nextPid}; "$@"`
      const words = ["--pid", "--fork", "sh", "-c", script, String(other.pid), bin.portctl]
      const command = ["run", "--quiet", "--", "sh", "-c", 'echo "$MINE"']
      const env = { MINE: "yes", PORT_SERVER_ADDR: server.address }
      const running = yield* start("unshare", [...words, ...command], { cwd: yield* temporaryFolder, env })
      expectAnswer(yield* running.ended, "yes\n")
    })
)
