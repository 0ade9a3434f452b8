import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { isAlive, pidAt, user } from "../../support/Daemon.ts"
import { expectAnswer, expectClean, expectError, expectUsageError } from "../../support/Expectations.ts"
import { until } from "../../support/Processes.ts"
import { bin } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

// A systemctl that does what the real one would with the one unit: it notes what it is asked, starts and stops.
const systemctl = `#!${process.execPath}
const { spawn } = require("node:child_process")
const fs = require("node:fs")
const { CALLS, FAILS = "none", IDLE, XDG_CONFIG_HOME, HOME } = process.env
const line = process.argv.slice(2).join(" ")
fs.appendFileSync(CALLS, line + "\\n")
if (line.includes(FAILS)) { console.error("Failed to " + FAILS + ": told so\\nsecond line"); process.exit(1) }
const unit = (XDG_CONFIG_HOME ?? HOME + "/.config") + "/systemd/user/port-server.service"
const pidFile = CALLS + ".pid"
if (line.includes("enable --now") && !IDLE) {
  const [, exec] = /^ExecStart=(.*)$/m.exec(fs.readFileSync(unit, "utf8"))
  const words = exec.match(/"(?:[^"\\\\]|\\\\.)*"/g).map((word) => JSON.parse(word).replaceAll("%%", "%"))
  const [program, ...args] = [words[0].replace(/^:/, ""), ...words.slice(1)]
  const child = spawn(program, args, { detached: true, stdio: "ignore", env: { HOME, PATH: process.env.PATH } })
  child.unref()
  fs.writeFileSync(pidFile, String(child.pid))
}
if (line.includes("disable --now") && fs.existsSync(pidFile)) {
  const pid = Number(fs.readFileSync(pidFile, "utf8"))
  fs.rmSync(pidFile)
  try { process.kill(pid, "SIGTERM") } catch {}
  const gone = () => { try { return / Z /.test(fs.readFileSync("/proc/" + pid + "/stat", "utf8")) } catch { return true } }
  while (!gone()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
}
`

/** A user whose machine has that systemctl, or none. */
const owner = (options: { readonly systemctl?: false } = {}) =>
  Effect.gen(function* () {
    const me = yield* user
    const programs = join(me.home, "bin")
    mkdirSync(programs)
    symlinkSync(process.execPath, join(programs, "node"))
    if (options.systemctl !== false) {
      writeFileSync(join(programs, "systemctl"), systemctl)
      chmodSync(join(programs, "systemctl"), 0o755)
    }
    const file = join(me.home, "calls")
    const unit = join(me.home, ".config/systemd/user/port-server.service")
    const env = { PATH: programs, CALLS: file }
    return {
      ...me,
      unit,
      service: (args: string, extra: Readonly<Record<string, string>> = {}) =>
        me.portctl(`service ${args}`, { env: { ...env, ...extra } }),
      calls: () => (existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [])
    }
  })

const check = "--user show-environment"
const reload = "--user daemon-reload"
const enable = "--user enable --now port-server.service"
const disable = "--user disable --now port-server.service"

/** The words of the unit's command line, as systemd.service(5) reads them. */
const execStart = (unit: string) => {
  const [, line = ""] = /^ExecStart=(.*)$/m.exec(unit) ?? []
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = ""]) =>
    word.replace(/\\(.)/g, "$1").replaceAll("%%", "%")
  )
}

// Without `--format` it is systemd's only on Linux. One after the other: each is a dozen processes.
const linux = process.platform === "linux" ? describe : describe.skip

linux("portctl service install", () => {
  it.scopedLive("writes a systemd user unit, enables it, and answers once the server does; uninstall undoes it", () =>
    Effect.gen(function* () {
      const me = yield* owner()
      const printed = yield* me.service("install --dry-run --range 4000-4999")
      const ended = yield* me.service("install --range 4000-4999")
      const pid = yield* pidAt(me.port)
      expectAnswer(
        ended,
        `installed port-server.service: port-server runs at ${me.address} (pid ${pid}), database ${me.database}, and starts with every session; ${me.unit}\n`
      )
      expect(me.calls()).toEqual([check, reload, enable])
      expect(readFileSync(me.unit, "utf8")).toBe(printed.stdout)
      expect((yield* call(me.port, "GET", "/v1/server")).json).toMatchObject({ range: "4000-4999" })

      expectAnswer(yield* me.service("uninstall --dry-run"), `would run systemctl ${disable}, and remove ${me.unit}\n`)
      expect(isAlive(pid)).toBe(true)
      expectAnswer(yield* me.service("uninstall"), `uninstalled port-server.service, removed ${me.unit}\n`)
      expect(me.calls().slice(3)).toEqual([check, disable, reload])
      expect(isAlive(pid)).toBe(false)
      expect(readdirSync(join(me.home, ".config/systemd/user"))).toEqual([])
      expectAnswer(yield* me.service("uninstall"), `port-server.service is not installed: there is no ${me.unit}\n`)
    })
  )

  it.scopedLive("installed again, it is the one that was asked for last", () =>
    Effect.gen(function* () {
      const me = yield* owner()
      yield* me.service("install")
      const pid = yield* pidAt(me.port)
      expect(yield* me.service("install --range 5000-5999")).toMatchObject({ code: 0, stderr: "" })
      expect((yield* call(me.port, "GET", "/v1/server")).json).toMatchObject({ range: "5000-5999" })
      expect(isAlive(pid)).toBe(false)
      yield* me.service("uninstall")
    })
  )

  it.scopedLive("installed before other settings, is noted by restart and by doctor until it is renewed", () =>
    Effect.gen(function* () {
      const me = yield* owner()
      const env = { PATH: `${join(me.home, "bin")}:${process.env["PATH"]}`, CALLS: join(me.home, "calls") }
      const two = join(me.home, "two.db")
      const check = (name: string) =>
        Effect.map(me.portctl("doctor --json", { env }), ({ stdout }) => {
          const { checks } = JSON.parse(stdout)
          return checks.find((each: { readonly name: string }) => each.name === name)
        })
      yield* me.service(`install --db ${join(me.home, "one.db")}`)
      expect((yield* me.portctl("restart")).stderr).toBe("")
      expect(yield* check("service")).toMatchObject({ status: "ok" })
      expect(yield* check("settings")).toMatchObject({ status: "ok" })
      const renewal = "portctl stop, then portctl service install"
      expect((yield* me.portctl(`restart --db ${two} --range 7000-7100`)).stderr).toBe(
        `note: port-server.service still starts it as before with your next session; to renew it: ${renewal}\n`
      )
      for (const args of ["config set range 7000-7200", "config unset range", "config set range 7000-7100"]) {
        expect((yield* me.portctl(args)).stderr).toMatch(/^note: port-server\.service still starts it as before /)
      }
      expect(yield* check("service")).toEqual({
        name: "service",
        status: "warning",
        message: `port-server.service starts the server at ${me.address} with your session, and otherwise than the settings have it`,
        remedy: renewal
      })
      expect(yield* check("settings")).toMatchObject({ status: "ok" })

      // The next session.
      yield* me.portctl("stop")
      const session = yield* me.bash(
        'eval "$(sed -n "s/^ExecStart=\\":/\\"/p" .config/systemd/user/*.service) > log 2>&1 &"'
      )
      expect(session.code).toBe(0)
      yield* until(() => /listening/.test(readFileSync(join(me.home, "log"), "utf8")))
      expect(yield* check("settings")).toMatchObject({
        status: "warning",
        message: expect.stringMatching(
          new RegExp(`; the server that runs has the database ${join(me.home, "one.db")} and the range 3000-9999$`)
        ),
        remedy: "portctl restart"
      })

      yield* me.portctl("stop")
      expect(yield* me.service("install")).toMatchObject({ code: 0, stderr: "" })
      expect((yield* call(me.port, "GET", "/v1/server")).json).toMatchObject({ database: two, range: "7000-7100" })
      expect(yield* check("service")).toMatchObject({ status: "ok" })
      expect(yield* check("settings")).toMatchObject({ status: "ok" })
      expect((yield* me.portctl("restart")).stderr).toBe("")
      expect((yield* me.service("uninstall")).code).toBe(0)
    })
  )

  it.scopedLive("honours XDG_CONFIG_HOME", () =>
    Effect.gen(function* () {
      const me = yield* owner()
      const env = { XDG_CONFIG_HOME: join(me.home, "config") }
      expect((yield* me.service("install", env)).stdout).toContain(
        join(me.home, "config/systemd/user/port-server.service")
      )
      expect((yield* me.service("uninstall", env)).code).toBe(0)
    })
  )

  it.scopedLive("without systemctl: one sentence, and nothing is written", () =>
    Effect.gen(function* () {
      const me = yield* owner({ systemctl: false })
      expectError(
        yield* me.service("install"),
        "there is no systemctl on this machine, which runs a user's services (--dry-run prints the service)"
      )
      expect(readdirSync(me.home)).toEqual(["bin"])
    })
  )

  it.scopedLive("without a user's systemd to talk to: its own words, and nothing is written", () =>
    Effect.gen(function* () {
      const me = yield* owner()
      expectError(
        yield* me.service("install", { FAILS: "show-environment" }),
        "systemctl --user show-environment failed: Failed to show-environment: told so"
      )
      expect(readdirSync(me.home).sort()).toEqual(["bin", "calls"])
    })
  )

  it.scopedLive("when it cannot be enabled, nothing stays installed", () =>
    Effect.gen(function* () {
      const me = yield* owner()
      expectError(
        yield* me.service("install", { FAILS: "enable --now" }),
        "systemctl --user enable --now port-server.service failed: Failed to enable --now: told so; nothing was installed"
      )
      expect(readdirSync(join(me.home, ".config/systemd/user"))).toEqual([])
      expect(me.calls().at(-1)).toBe(reload)
    })
  )

  it.scopedLive("when the server does not come up, nothing stays installed", () =>
    Effect.gen(function* () {
      const me = yield* owner()
      expectError(
        yield* me.service("install", { IDLE: "yes" }),
        "the service is not healthy after 10 seconds (journalctl --user -u port-server.service tells more); nothing was installed"
      )
      expect(readdirSync(join(me.home, ".config/systemd/user"))).toEqual([])
    })
  )

  const asRoot = process.getuid?.() === 0 ? it.scopedLive : it.scopedLive.skip
  asRoot("refuses a unit that is a link to another user's file, and leaves it as it is", () =>
    Effect.gen(function* () {
      const me = yield* owner()
      const theirs = join(me.home, "theirs")
      writeFileSync(theirs, "kept")
      chmodSync(theirs, 0o644)
      chownSync(theirs, 65_534, 65_534)
      mkdirSync(join(me.home, ".config/systemd/user"), { recursive: true })
      symlinkSync(theirs, me.unit)
      const ended = yield* me.service("install")
      expect(ended).toMatchObject({ code: 1, stdout: "" })
      expect(ended.stderr).toContain("it belongs to another user")
      expect(readFileSync(theirs, "utf8")).toBe("kept")
      expect(statSync(theirs).mode & 0o777).toBe(0o644)
    })
  )

  it.scopedLive("reports a server that runs already, and leaves it alone", () =>
    Effect.gen(function* () {
      const me = yield* owner()
      yield* me.portctl("start")
      const pid = yield* pidAt(me.port)
      expectError(
        yield* me.service("install"),
        `port-server is already running at ${me.address} (pid ${pid}), and not as this service: run portctl stop first`
      )
      expect(isAlive(pid)).toBe(true)
      expect(existsSync(me.unit)).toBe(false)
    })
  )
})

describe.concurrent("portctl service install --dry-run", () => {
  const folder = `a %h $HOME \${HOME} "q" 'p' \\ <&> é`

  it.scopedLive("prints a systemd unit whose command line is exactly what was meant", () =>
    Effect.gen(function* () {
      const me = yield* user
      mkdirSync(join(me.home, folder))
      const cwd = join(me.home, folder)
      const ended = yield* me.portctl("service install --dry-run --format systemd --db x.db --no-probe", { cwd })
      expect(ended.code).toBe(0)
      expectClean(ended)
      const [program, ...args] = execStart(ended.stdout)
      // The colon keeps systemd from looking for variables.
      expect(program).toBe(`:${bin.portServer}`)
      expect(args).toEqual(["--port", String(me.port), "--db", join(cwd, "x.db"), "--no-probe"])
      expect(ended.stdout).toMatch(/^Restart=on-failure$/m)
      // Of a server that hangs; otherwise systemd would wait for 90 seconds.
      expect(ended.stdout).toMatch(/^TimeoutStopSec=10$/m)
      expect(ended.stdout).toMatch(/^WantedBy=default.target$/m)
      expect(ended.stderr).toMatch(
        /^would write \S+port-server\.service and run:\n {2}systemctl --user daemon-reload\n/
      )
      expect(readdirSync(me.home)).toEqual([folder])
    })
  )

  it.scopedLive("prints a launchd agent whose command line is exactly what was meant", () =>
    Effect.gen(function* () {
      const me = yield* user
      mkdirSync(join(me.home, folder))
      const cwd = join(me.home, folder)
      const ended = yield* me.portctl("service install --dry-run --format launchd --db x.db --range 1-2", { cwd })
      expect(ended.code).toBe(0)
      expect(ended.stdout).toMatch(/<key>ExitTimeOut<\/key>\s*<integer>10<\/integer>/)
      const words = [...ended.stdout.matchAll(/<string>(.*)<\/string>/g)].map(([, word = ""]) =>
        word.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&")
      )
      expect(words).toEqual([
        "dev.port-server",
        bin.portServer,
        "--port",
        String(me.port),
        "--db",
        join(cwd, "x.db"),
        "--range",
        "1-2",
        "--log",
        me.log,
        "Background"
      ])
      expect(ended.stdout).not.toMatch(/&(?!(lt|gt|amp);)|<(?=[^a-z/!?])/)
      expect(ended.stderr).toMatch(
        /^would write \S+\/Library\/LaunchAgents\/dev\.port-server\.plist and run:\n {2}launchctl bootstrap gui\/\d+ /
      )
      expect(readdirSync(me.home)).toEqual([folder])
      const usual = yield* me.portctl("service install --dry-run --format launchd --port 51234")
      expect(usual.stdout).toContain(`<string>${join(me.home, ".port_server/port-server.log")}</string>`)
    })
  )

  it.scopedLive("takes the database and the range of the environment along", () =>
    Effect.gen(function* () {
      const me = yield* user
      const env = { PORT_SERVER_DB: "/var/x.db", PORT_SERVER_RANGE: "7000-7999" }
      const { stdout } = yield* me.portctl("service install --dry-run --format systemd", { env })
      expect(execStart(stdout).slice(3)).toEqual(["--db", "/var/x.db", "--range", "7000-7999"])
    })
  )

  it.scopedLive("refuses a name that neither can write", () =>
    Effect.gen(function* () {
      const me = yield* user
      expectError(
        yield* me.portctl("service install --dry-run --db /a\nb.db"),
        'control characters are not allowed in service arguments: "/a\\nb.db"'
      )
    })
  )
})

describe.concurrent("a command line that portctl service cannot follow", () => {
  const refused = [
    ["service", /install\|uninstall/],
    ["service start", /install or uninstall, not "start"/],
    ["service install --format systemd", /--format needs --dry-run/],
    ["service install --dry-run --format upstart", /systemd or launchd/],
    ["service uninstall --range 1-2", /unknown option --range$/],
    ["service install uninstall", /unexpected argument "uninstall"/]
  ] as const
  for (const [args, wrong] of refused) {
    it.scopedLive(`refuses "portctl ${args}"`, () =>
      Effect.gen(function* () {
        const me = yield* user
        expectUsageError(yield* me.portctl(args), wrong, "portctl service")
        expect(readdirSync(me.home)).toEqual([])
      })
    )
  }
})
