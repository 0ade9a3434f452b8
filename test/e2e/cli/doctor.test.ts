import { spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, realpathSync, symlinkSync, truncateSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { pidAt, user } from "../../support/Daemon.ts"
import { hasIpv6 } from "../../support/Listening.ts"
import { bin, type Ended, start } from "../../support/Programs.ts"

const Report = Schema.Struct({
  ok: Schema.Boolean,
  checks: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      status: Schema.String,
      message: Schema.String,
      remedy: Schema.optional(Schema.String)
    })
  )
})

const reportOf = ({ stdout }: Ended) => {
  const { checks, ok } = Schema.decodeUnknownSync(Schema.parseJson(Report), { onExcessProperty: "error" })(stdout)
  return { ok, checks: Object.fromEntries(checks.map((check) => [check.name, check])) }
}

const names = [
  "node",
  "programs",
  "path",
  "settings",
  "range",
  "server",
  "socket",
  "database",
  "engine",
  "compose",
  "listeners",
  "service",
  "completion"
]

/** A folder with a Docker whose Compose is of this version. */
const dockerIn = (home: string, version: string): string => {
  const folder = join(home, `docker-${version}`)
  mkdirSync(folder)
  writeFileSync(join(folder, "docker"), `#!/bin/sh\n[ "$*" = "compose version --short" ] && echo ${version}\n`)
  chmodSync(join(folder, "docker"), 0o755)
  return folder
}

describe.concurrent("portctl doctor", () => {
  it.scopedLive("finds all well where all is well, as text and as JSON", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start")
      writeFileSync(join(me.home, ".bashrc"), "source <(portctl --completions bash)\n")
      const env = {
        SHELL: "/bin/bash",
        PATH: `${dirname(bin.portctl)}:${dockerIn(me.home, "2.24.4")}:${process.env["PATH"]}`
      }
      const ended = yield* me.portctl("doctor --json", { env })
      const { checks, ok } = reportOf(ended)
      expect(ended).toMatchObject({ code: 0, stderr: "" })
      expect(ok).toBe(true)
      expect(Object.keys(checks)).toEqual(names)
      for (const check of Object.values(checks)) expect(check).toMatchObject({ status: "ok" })
      expect(checks["compose"]?.message).toBe("docker compose 2.24.4")
      expect(checks["node"]?.message).toContain(process.versions.node)
      expect(checks["settings"]?.message).toContain(`address ${me.address} (PORT_SERVER_ADDR)`)
      expect(checks["settings"]?.message).toContain("allow_hosts none (default)")
      expect(checks["database"]?.message).toBe(
        `the database ${realpathSync(me.home)}/.port_server/ports.db is sound: 0 allocation(s)`
      )
      const text = yield* me.portctl("doctor", { env })
      expect(text).toMatchObject({ code: 0, stderr: "" })
      expect(text.stdout.split("\n").map((line) => line.split(/ +/)[1] ?? "")).toEqual([...names, ""])
    })
  )

  for (const [shell, file, line, isWell] of [
    ["bash", ".bashrc", "portctl --completions bash", false],
    ["bash", ".bashrc", "# source <(portctl --completions bash)", false],
    ["bash", ".bashrc", "alias p=portctl; source <(kubectl completion bash)", false],
    ["bash", ".bashrc", "portctl --completions bash > /dev/null", false],
    ["bash", ".bashrc", "[ -t 0 ] && . <( ~/bin/portctl --completions bash)", true],
    ["bash", ".bashrc", 'eval "$(portctl --completions bash)"', true],
    ["zsh", ".zshrc", "source <(portctl --completions bash)", false],
    ["zsh", ".zshrc", "source <(portctl --completions zsh)", true],
    ["fish", ".config/fish/config.fish", "portctl --completions fish", false],
    ["fish", ".config/fish/config.fish", "portctl --completions fish | source", true]
  ] as const) {
    it.scopedLive(`sees ${isWell ? "" : "no "}completion of ${shell} in: ${line}`, () =>
      Effect.gen(function* () {
        const me = yield* user
        mkdirSync(dirname(join(me.home, file)), { recursive: true })
        writeFileSync(join(me.home, file), `umask 022\n${line}\n`)
        const { checks } = reportOf(yield* me.portctl("doctor --json", { env: { SHELL: `/bin/${shell}` } }))
        expect(checks["completion"]?.status).toBe(isWell ? "ok" : "warning")
      })
    )
  }

  it.scopedLive("takes for completion what portctl prints, too", () =>
    Effect.gen(function* () {
      const me = yield* user
      writeFileSync(join(me.home, ".bashrc"), (yield* me.portctl("--completions bash")).stdout)
      const { checks } = reportOf(yield* me.portctl("doctor --json", { env: { SHELL: "/bin/bash" } }))
      expect(checks["completion"]?.status).toBe("ok")
    })
  )

  it.scopedLive("warns with a remedy, and starts nothing", () =>
    Effect.gen(function* () {
      const me = yield* user
      const other = join(me.home, "other")
      mkdirSync(other)
      writeFileSync(join(other, "portctl"), "#!/bin/sh\n")
      chmodSync(join(other, "portctl"), 0o755)
      const path = `${other}:${dockerIn(me.home, "2.20.3")}:${process.env["PATH"]}`
      const env = { SHELL: "/bin/zsh", PATH: path, PORT_SERVER_RANGE: "60000-60999" }
      const ended = yield* me.portctl("doctor --json", { env })
      const { checks, ok } = reportOf(ended)
      expect(ended.code).toBe(0)
      expect(ok).toBe(true)
      expect(checks["server"]).toEqual({
        name: "server",
        status: "warning",
        message: `port-server is not running at ${me.address}`,
        remedy: "portctl start"
      })
      expect(checks["completion"]?.remedy).toBe("source <(portctl --completions zsh), in ~/.zshrc")
      for (const name of ["path", "range", "compose", "completion"]) {
        expect(checks[name]).toMatchObject({ status: "warning", remedy: expect.stringMatching(/./) })
      }
      expect(checks["database"]).toMatchObject({ status: "ok" })
      expect((yield* me.portctl("doctor", { env })).stdout).toContain("to do: portctl start\n")
      expect((yield* me.portctl("status")).code).toBe(3)
    })
  )

  it.scopedLive("exits 1 for a database that is damaged, and for settings that are not valid", () =>
    Effect.gen(function* () {
      const me = yield* user
      const data = join(me.home, ".port_server")
      mkdirSync(data, { mode: 0o700 })
      writeFileSync(join(data, "ports.db"), "no database".repeat(1000))
      const damaged = yield* me.portctl("doctor --json")
      expect(damaged.code).toBe(1)
      expect(reportOf(damaged)).toMatchObject({
        ok: false,
        checks: { database: { status: "error", message: expect.stringContaining("ports.db") } }
      })
      writeFileSync(join(data, "config.json"), '{"server": {}}')
      const invalid = yield* me.portctl("doctor --json")
      expect(invalid.code).toBe(1)
      expect(reportOf(invalid).checks["settings"]).toMatchObject({
        status: "error",
        message: `${join(data, "config.json")}: unknown field "server", did you mean "servers"?`
      })
    })
  )

  it.scopedLive("exits 1 for a database that the server cannot read, though its file is one", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start")
      yield* me.portctl("restart")
      truncateSync(me.database)
      const why = "the database is damaged or is not a SQLite database"
      expect(yield* me.portctl("list")).toMatchObject({ code: 1, stderr: `error: ${why}\n` })
      const ended = yield* me.portctl("doctor --json")
      expect(ended.code).toBe(1)
      expect(reportOf(ended).checks["database"]).toEqual({
        name: "database",
        status: "error",
        message: `port-server cannot use ${me.database}: ${why}`,
        remedy: "end what else uses it, or put a backup in its place; then portctl restart"
      })
    })
  )

  it.scopedLive("advises a start only where one can be started", () =>
    Effect.gen(function* () {
      const me = yield* user
      const remedyAt = (address: string) =>
        Effect.map(me.portctl("doctor --json", { env: { PORT_SERVER_ADDR: address } }), (ended) => {
          return reportOf(ended).checks["server"]?.remedy
        })
      expect(yield* remedyAt("unix:/none")).toBe("start it where the socket comes from, or choose another address")
      expect(yield* remedyAt(`127.0.0.2:${me.port}`)).toBe("start it on that machine, or choose another address")
      expect(yield* remedyAt(`localhost:${me.port}`)).toBe("portctl start")
      if (hasIpv6) {
        expect(yield* remedyAt(`[::1]:${me.port}`)).toBe(`choose 127.0.0.1:${me.port}, where a port-server listens`)
      }
      const env = { PORT_SERVER_DB: join(me.home, "none/own.db") }
      const ended = yield* me.portctl("doctor --json", { env })
      expect(ended.code).toBe(1)
      expect(reportOf(ended).checks).toMatchObject({
        server: { status: "warning", remedy: "repair the database first, see below; then portctl start" },
        database: {
          status: "error",
          message: `cannot open the database ${env.PORT_SERVER_DB}: the folder ${me.home}/none does not exist`,
          remedy: "portctl start --db FILE, in a folder that you can write"
        }
      })
    })
  )

  it.scopedLive("says what keeps a server from starting, and blames the database for nothing else", () =>
    Effect.gen(function* () {
      const me = yield* user
      const checksWith = Effect.fnUntraced(function* (env: Readonly<Record<string, string>>) {
        const ended = yield* me.portctl("doctor --json", { env })
        expect(ended.code).toBe(1)
        return reportOf(ended).checks
      })
      const stopped = (reason: string) => ({
        name: "server",
        status: "error",
        message: `port-server is not running at ${me.address} and cannot be started: ${reason}`,
        remedy: "correct that, then portctl start"
      })
      const token = join(me.home, ".port_server/token")
      mkdirSync(dirname(token), { mode: 0o700 })
      writeFileSync(token, "short", { mode: 0o600 })
      const allowed = yield* checksWith({ PORT_SERVER_ALLOW_HOST: "foo.test" })
      expect(allowed["server"]).toEqual(
        stopped(
          `cannot use the token in ${token}: it must have 32 to 512 visible ASCII characters without spaces, as openssl rand -hex 32 prints them`
        )
      )
      expect(allowed["database"]).toMatchObject({ status: "ok" })
      yield* me.portctl("config set log /dev/null/x.log")
      const logged = yield* checksWith({})
      expect(logged["server"]).toEqual(
        stopped("cannot write the log /dev/null/x.log: it is in something that is not a folder")
      )
      expect(logged["database"]).toMatchObject({ status: "ok" })
    })
  )

  it.scopedLive("compares the range of the settings as a range, whatever files are there", () =>
    Effect.gen(function* () {
      const me = yield* user
      for (const name of ["4000-4999", "5000-5999"]) symlinkSync(".", join(me.home, name))
      yield* me.portctl("start --range 4000-4999")
      const ended = yield* me.portctl("doctor --json", { env: { PORT_SERVER_RANGE: "5000-5999" } })
      expect(reportOf(ended).checks["settings"]).toMatchObject({
        status: "warning",
        message: expect.stringMatching(/; the server that runs has the range 4000-4999$/)
      })
    })
  )

  it.scopedLive("compares all settings that the server tells", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start")
      const settings = Effect.map(me.portctl("doctor --json"), (ended) => reportOf(ended).checks["settings"])
      expect(yield* settings).toMatchObject({ status: "ok" })
      for (const change of ["probe false", "engine none", "allow_hosts foo.test"])
        yield* me.portctl(`config set ${change}`)
      expect(yield* settings).toMatchObject({
        status: "warning",
        message: expect.stringMatching(
          /; the server that runs has the probe true and the engine auto and the allow_hosts none$/
        ),
        remedy: "portctl restart"
      })
      yield* me.portctl("restart")
      expect(yield* settings).toMatchObject({ status: "ok" })
    })
  )

  it.scopedLive("says what helps with a server that hangs, and with one that has no socket", () =>
    Effect.gen(function* () {
      const me = yield* user
      writeFileSync(join(me.home, "not-a-socket"), "")
      yield* me.portctl(`start --socket ${join(me.home, "not-a-socket")}`)
      const remedyOf = (name: string) =>
        Effect.map(me.portctl("doctor --json"), (ended) => reportOf(ended).checks[name]?.remedy)
      expect(yield* remedyOf("socket")).toBe(
        "portctl restart makes it again; portctl config set socket PATH before it, where the log names another reason"
      )
      yield* me.portctl(`config set socket ${join(me.home, "s.sock")}`)
      yield* me.portctl("restart")
      expect(yield* remedyOf("socket")).toBeUndefined()
      process.kill(yield* pidAt(me.port), "SIGSTOP")
      expect(yield* remedyOf("server")).toBe("portctl stop, then portctl start")
      expect((yield* me.portctl("stop")).code).toBe(0)
      expect((yield* me.portctl("start")).code).toBe(0)
      expect(yield* remedyOf("server")).toBeUndefined()
    })
  )

  const ownMounts = spawnSync("unshare", ["--mount", "true"]).status === 0
  it.scopedLive.skipIf(!ownMounts)("warns of a server that was started in another mount namespace", () =>
    Effect.gen(function* () {
      const me = yield* user
      const started = yield* start("unshare", ["--mount", bin.portctl, "start"], { env: me.env })
      expect(yield* started.ended).toMatchObject({ code: 0 })
      expect(reportOf(yield* me.portctl("doctor --json")).checks["server"]).toMatchObject({
        status: "warning",
        message: expect.stringContaining("in another mount namespace"),
        remedy: "portctl restart, outside of sandboxes"
      })
      yield* me.portctl("restart")
      expect(reportOf(yield* me.portctl("doctor --json")).checks["server"]).toMatchObject({ status: "ok" })
    })
  )
})
