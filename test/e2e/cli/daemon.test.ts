import { spawnSync } from "node:child_process"
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { connect } from "node:net"
import { basename, dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, listed } from "../../support/Api.ts"
import { isAlive, pidAt, type User, user } from "../../support/Daemon.ts"
import { expectAnswer, expectClean, expectError, expectUsageError } from "../../support/Expectations.ts"
import { bin, start, startServer } from "../../support/Programs.ts"
import { answering, listener } from "../../support/Sockets.ts"
import { call } from "../../support/Wire.ts"

const modeOf = (file: string) => statSync(file).mode & 0o777

const started = ({ address, database, log }: User, pid: number) =>
  `started port-server at ${address} (pid ${pid}), database ${database}, log ${log}\n`

const running = ({ address, database }: User, pid: number) =>
  `port-server is already running at ${address} (pid ${pid}), database ${database}\n`

/** A server that says of itself what a port-server would. */
const claiming = (pid: number) =>
  answering(
    "200 OK",
    JSON.stringify({
      version: "0.1.0",
      pid,
      started_at: "2026-01-01T00:00:00Z",
      database: "/nowhere/ports.db",
      range: "3000-9999",
      allocations: 0
    })
  )

const linux = process.platform === "linux" ? it.scopedLive : it.scopedLive.skip

describe.concurrent("portctl start", () => {
  it.scopedLive("answers once that very process does, and says where it is, its database and its log", () =>
    Effect.gen(function* () {
      const me = yield* user
      const ended = yield* me.portctl("start")
      const pid = yield* pidAt(me.port)
      expectAnswer(ended, started(me, pid))
      expect(readFileSync(me.log, "utf8")).toContain(`listening on http://${me.address},`)
    })
  )

  it.scopedLive("--json prints what the server says of itself", () =>
    Effect.gen(function* () {
      const me = yield* user
      const ended = yield* me.portctl("start --json")
      expectAnswer(ended, `${(yield* call(me.port, "GET", "/v1/server")).body}\n`)
      expect(yield* me.portctl("start --json")).toEqual(ended)
    })
  )

  it.scopedLive("closes its folder and its files to others, whatever the umask was", () =>
    Effect.gen(function* () {
      const me = yield* user
      mkdirSync(dirname(me.log), { mode: 0o777 })
      chmodSync(dirname(me.log), 0o777)
      expect(yield* me.bash("umask 000; $portctl start")).toMatchObject({ code: 0 })
      yield* allocate(me.port, { app: "a" })
      expect(modeOf(dirname(me.log))).toBe(0o700)
      expect(readdirSync(dirname(me.log)).sort()).toEqual([
        basename(me.log),
        "ports.db",
        "ports.db-shm",
        "ports.db-wal",
        "ports.db.sock"
      ])
      for (const name of readdirSync(dirname(me.log))) expect(modeOf(join(dirname(me.log), name)), name).toBe(0o600)
    })
  )

  it.scopedLive("leaves the mode of a folder that ~/.port_server is a link to", () =>
    Effect.gen(function* () {
      const me = yield* user
      const folder = join(me.home, "elsewhere")
      mkdirSync(folder)
      chmodSync(folder, 0o755)
      symlinkSync(folder, join(me.home, ".port_server"))
      expect(yield* me.portctl("start --range 4000-4999")).toMatchObject({ code: 0, stderr: "" })
      expect(modeOf(folder)).toBe(0o755)
      expect(modeOf(join(folder, "config.json"))).toBe(0o600)
    })
  )

  linux("leaves a process of its own session, in no folder of the caller's, without its secrets and files", () =>
    Effect.gen(function* () {
      const me = yield* user
      const secret = { SECRET: "s3cret", NODE_OPTIONS: "--title=debugged" }
      expect(yield* me.portctl("start", { env: secret })).toMatchObject({ code: 0 })
      const pid = yield* pidAt(me.port)
      expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/")
      expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toMatch(/SECRET|NODE_OPTIONS/)
      const session = readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ")[3]
      expect(session).toBe(String(pid))
      const targets = [0, 1].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
      expect(targets).toEqual(["/dev/null", "/dev/null"])
    })
  )

  it.scopedLive("returns in a pipe, in a substitution, and when a further descriptor is open", () =>
    Effect.gen(function* () {
      const me = yield* user
      const ended = yield* me.bash(
        'exec 9>&1; $portctl start | cat; echo "again: $($portctl start)"; $portctl restart | cat'
      )
      const pid = yield* pidAt(me.port)
      expect(ended).toMatchObject({ code: 0, stderr: "" })
      expect(ended.stdout.split("\n")).toEqual([
        expect.stringMatching(/^started port-server at /),
        expect.stringMatching(/^again: port-server is already running at /),
        expect.stringContaining(`restarted port-server at ${me.address} (pid ${pid})`),
        ""
      ])
    })
  )

  it.scopedLive("works through a symbolic link to portctl", () =>
    Effect.gen(function* () {
      const me = yield* user
      const link = join(me.home, "pc")
      symlinkSync(bin.portctl, link)
      expectAnswer(yield* me.portctl("start", { program: link }), started(me, yield* pidAt(me.port)))
    })
  )

  it.scopedLive("says which file is missing where port-server does not stand beside portctl", () =>
    Effect.gen(function* () {
      const me = yield* user
      for (const name of readdirSync(dirname(bin.portctl))) {
        // Compiled code comes and goes while other tests run.
        const isPart = /^(portctl|package\.json)/.test(name) && !name.includes(".cache")
        if (isPart) copyFileSync(join(dirname(bin.portctl), name), join(me.home, name))
      }
      expectError(
        yield* me.portctl("start", { program: join(me.home, "portctl") }),
        `cannot start port-server: there is no ${join(realpathSync(me.home), "port-server")}; build or install it beside portctl`
      )
    })
  )

  it.scopedLive("takes a relative --db, and PORT_SERVER_DB, from the folder of the caller", () =>
    Effect.gen(function* () {
      const me = yield* user
      const home = realpathSync(me.home)
      expect((yield* me.portctl("start --db own.db")).stdout).toContain(
        `database ${join(home, "own.db")}, log ${me.log}\n`
      )
      expect((yield* me.portctl("start --db ./own.db")).code).toBe(0)
      expect((yield* me.portctl("stop")).code).toBe(0)
      const { stdout } = yield* me.portctl("start", { env: { PORT_SERVER_DB: "env.db" } })
      expect(stdout).toContain(`database ${join(home, "env.db")},`)
    })
  )

  it.scopedLive("passes --range and --no-probe on", () =>
    Effect.gen(function* () {
      const me = yield* user
      const busy = yield* listener()
      expect((yield* me.portctl(`start --range ${busy.port}-${busy.port} --no-probe`)).code).toBe(0)
      expect(yield* allocate(me.port, { app: "a" })).toMatchObject({ port: busy.port })
    })
  )

  it.scopedLive("--port wins over the address, and it says how the other commands find that server", () =>
    Effect.gen(function* () {
      const me = yield* user
      const other = yield* user
      const ended = yield* me.portctl(`start --port ${other.port}`, { env: { HOME: other.home } })
      expect(ended.stdout).toBe(started(other, yield* pidAt(other.port)))
      expect(ended.stderr).toBe(
        `portctl asks ${me.address}; to ask this one: export PORT_SERVER_ADDR=${other.address}\n`
      )
    })
  )

  it.scopedLive("restart says it too, of a server that it has started", () =>
    Effect.gen(function* () {
      const me = yield* user
      const other = yield* user
      const restart = me.portctl(`restart --port ${other.port}`, { env: { HOME: other.home } })
      expect((yield* restart).stderr).toBe(
        `portctl asks ${me.address}; to ask this one: export PORT_SERVER_ADDR=${other.address}\n`
      )
      expect(yield* restart).toMatchObject({ code: 0, stderr: "" })
    })
  )

  it.scopedLive("two servers of one user have a log each", () =>
    Effect.gen(function* () {
      const me = yield* user
      const other = yield* user
      const at = (port: number) => join(me.home, `.port_server/port-server-${port}.log`)
      expect((yield* me.portctl("start")).stdout).toContain(`log ${at(me.port)}\n`)
      const second = yield* me.portctl(`start --port ${other.port} --db ${other.home}/ports.db`)
      yield* Effect.addFinalizer(() => me.portctl(`stop --port ${other.port}`))
      expect(second.stdout).toContain(`log ${at(other.port)}\n`)
      expect(readFileSync(at(me.port), "utf8").match(/listening on .*/g)).toEqual([expect.stringContaining(me.address)])
      expect(readFileSync(at(other.port), "utf8").match(/listening on .*/g)).toEqual([
        expect.stringContaining(other.address)
      ])
    })
  )

  it.scopedLive("says which ports it hands out where those are not the usual ones, and so does status", () =>
    Effect.gen(function* () {
      const me = yield* user
      const ended = yield* me.portctl("start --range 4000-4999 --no-probe")
      const pid = yield* pidAt(me.port)
      const told = `at ${me.address} (pid ${pid}), database ${me.database}, range 4000-4999`
      expectAnswer(ended, `started port-server ${told}, log ${me.log}\n`)
      for (const args of ["start", "start --no-probe"]) {
        expectAnswer(yield* me.portctl(args), `port-server is already running ${told}\n`)
      }
      expect((yield* me.portctl("status")).stdout).toMatch(/^range +4000-4999 \(--no-probe\)$/m)
      expect(JSON.parse((yield* me.portctl("status --json")).stdout)).toMatchObject({ probe: false })
    })
  )

  it.scopedLive("names the server in the command that would change one at another port than the address's", () =>
    Effect.gen(function* () {
      const me = yield* user
      const server = yield* startServer()
      expectError(
        yield* me.portctl(`start --port ${server.port} --range 4000-4999`),
        `port-server is already running at ${server.address} (pid ${server.pid}) with the range 3000-9999; to change that: portctl restart --port ${server.port} --range 4000-4999`
      )
    })
  )

  it.scopedLive("is content with the one that runs, unless it has another database, range or log than wanted", () =>
    Effect.gen(function* () {
      const me = yield* user
      expect((yield* me.portctl("start")).code).toBe(0)
      const pid = yield* pidAt(me.port)
      for (const args of ["start", `start --db ${me.database}`, "start --range 3000-9999"]) {
        expectAnswer(yield* me.portctl(args), running(me, pid))
      }
      expectError(
        yield* me.portctl("start --no-probe"),
        `port-server is already running at ${me.address} (pid ${pid}) without --no-probe; to change that: portctl restart --no-probe`
      )
      expectError(
        yield* me.portctl("start --range 3000-3001"),
        `port-server is already running at ${me.address} (pid ${pid}) with the range 3000-9999; to change that: portctl restart --range 3000-3001`
      )
      const other = join(me.home, "other.db")
      expectError(
        yield* me.portctl(`start --db ${other}`),
        `port-server is already running at ${me.address} (pid ${pid}) with the database ${me.database}; to change that: portctl restart --db ${other}`
      )
      const settings = () => readFileSync(join(me.home, ".port_server/config.json"), "utf8")
      expect((yield* me.portctl(`start --log ${me.log}`)).code).toBe(0)
      const before = settings()
      const log = join(me.home, "other.log")
      expectError(
        yield* me.portctl(`start --log ${log}`),
        `port-server is already running at ${me.address} (pid ${pid}) with the log ${me.log}; to change that: portctl restart --log ${log}`
      )
      expect(settings()).toBe(before)
      expect(yield* pidAt(me.port)).toBe(pid)
    })
  )

  it.scopedLive("passes on why the server did not start, says where the log is, and leaves none behind", () =>
    Effect.gen(function* () {
      const me = yield* user
      const message = `port-server did not start: cannot open the database /missing/ports.db: the folder /missing does not exist (log: ${me.log})`
      expectError(yield* me.portctl("start --db /missing/ports.db"), message)
      expect((yield* me.portctl("start --db /missing/ports.db --json")).stdout).toBe(
        `${JSON.stringify({ error: message })}\n`
      )
      expect(readFileSync(me.log, "utf8")).toContain("error: cannot open the database /missing/ports.db")
      expect((yield* me.portctl("status")).code).toBe(3)
      expect(readdirSync(dirname(me.log))).toEqual([basename(me.log)])
    })
  )

  it.scopedLive("names no log to read where there is none", () =>
    Effect.gen(function* () {
      const me = yield* user
      expectError(
        yield* me.portctl("start --log /dev/null/x.log"),
        "port-server did not start: cannot write the log /dev/null/x.log: it is in something that is not a folder"
      )
    })
  )

  it.scopedLive("eight at once make one server, and all of them succeed", () =>
    Effect.gen(function* () {
      const me = yield* user
      const all = yield* Effect.forEach(Array.from({ length: 8 }), () => me.portctl("start"), {
        concurrency: "unbounded"
      })
      const pid = yield* pidAt(me.port)
      expect(all.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
        Array.from({ length: 8 }, () => ({ code: 0, stderr: "" }))
      )
      const said = all.map(({ stdout }) => stdout)
      expect(said.filter((line) => line === started(me, pid))).toHaveLength(1)
      expect(said.filter((line) => line === running(me, pid))).toHaveLength(7)
    })
  )

  it.scopedLive("after a kill it starts again with everything that was there", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start")
      const kept = yield* allocate(me.port, { app: "kept" })
      const pid = yield* pidAt(me.port)
      process.kill(pid, "SIGKILL")
      expect((yield* me.portctl("start")).stdout).toMatch(/^started port-server at /)
      expect(yield* pidAt(me.port)).not.toBe(pid)
      expect(yield* listed(me.port, "kept")).toEqual([kept])
    })
  )

  it.scopedLive("refuses an address on another machine, with any command that starts or stops", () =>
    Effect.gen(function* () {
      const me = yield* user
      for (const address of ["example.test:51234", "10.0.0.1:51234", "[::1]:51234"]) {
        for (const verb of ["start", "stop", "restart"]) {
          expectError(
            yield* me.portctl(verb, { env: { PORT_SERVER_ADDR: address } }),
            `PORT_SERVER_ADDR is ${address}, another machine than this: only a server at 127.0.0.1 or localhost can be started and stopped`
          )
        }
      }
      expect(readdirSync(me.home)).toEqual([])
    })
  )

  it.scopedLive("cannot make its folder: one sentence", () =>
    Effect.gen(function* () {
      const me = yield* user
      const file = join(me.home, "file")
      writeFileSync(file, "")
      expectError(
        yield* me.portctl("start", { env: { HOME: file } }),
        `cannot make the folder ${file}/.port_server: it is in something that is not a folder (is HOME your own folder?)`
      )
    })
  )

  for (const args of [
    "start --port 0",
    "start --port x",
    "start --range 5-1",
    "start --db=",
    "stop --db x",
    "status --db x",
    "start now"
  ]) {
    it.scopedLive(`refuses "portctl ${args}" and touches nothing`, () =>
      Effect.gen(function* () {
        const me = yield* user
        expectUsageError(yield* me.portctl(args), /./, `portctl ${args.split(" ")[0]}`)
        expect(readdirSync(me.home)).toEqual([])
      })
    )
  }
})

const refusal = (address: string, pid: number) =>
  `the port-server at ${address} says that it is process ${pid}, which is no port-server of this machine that listens there (a forwarded port, or a container?): stop it where it runs`

describe.concurrent("portctl stop", () => {
  it.scopedLive("stops the server and waits until it is gone; without one it has nothing to do", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start")
      const pid = yield* pidAt(me.port)
      expectAnswer(yield* me.portctl("stop"), `stopped port-server (pid ${pid})\n`)
      expect(isAlive(pid)).toBe(false)
      expectAnswer(yield* me.portctl("stop"), `port-server is not running at ${me.address}\n`)
      expect((yield* me.portctl("start")).code).toBe(0)
    })
  )

  it.scopedLive("--json tells which process was stopped, or that there was none", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start")
      const pid = yield* pidAt(me.port)
      const { address } = me
      expectAnswer(yield* me.portctl("stop --json"), `${JSON.stringify({ stopped: true, pid, address })}\n`)
      expectAnswer(yield* me.portctl("stop --json"), `${JSON.stringify({ stopped: false, address })}\n`)
      const fake = yield* claiming(1)
      const refused = yield* me.portctl(`stop --port ${fake.port} --json`)
      expectError(refused, refusal(fake.address, 1), `${JSON.stringify({ error: refusal(fake.address, 1) })}\n`)
    })
  )

  it.scopedLive("stops a server that was started by hand", () =>
    Effect.gen(function* () {
      const me = yield* user
      const server = yield* startServer()
      expectAnswer(yield* me.portctl(`stop --port ${server.port}`), `stopped port-server (pid ${server.pid})\n`)
      expect(yield* server.ended).toMatchObject({ code: 0, signal: null })
    })
  )

  it.scopedLive("stops, and status tells, also one whose database is gone", () =>
    Effect.gen(function* () {
      const me = yield* user
      const server = yield* startServer()
      rmSync(server.database)
      const status = yield* me.portctl(`status --port ${server.port}`)
      expect(status).toMatchObject({ code: 0, stderr: "" })
      expect(status.stdout).toMatch(/^allocations +unknown, the database cannot be read$/m)
      const json = yield* me.portctl(`status --port ${server.port} --json`)
      expect(JSON.parse(json.stdout)).not.toHaveProperty("allocations")
      expectAnswer(yield* me.portctl(`stop --port ${server.port}`), `stopped port-server (pid ${server.pid})\n`)
    })
  )

  it.scopedLive("a restart that cannot be leaves the very server running", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start --range 20000-20009")
      const pid = yield* pidAt(me.port)
      expectError(
        yield* me.portctl("restart --db /nowhere/ports.db"),
        "cannot open the database /nowhere/ports.db: the folder /nowhere does not exist; port-server was not stopped and runs as before"
      )
      expect(yield* pidAt(me.port)).toBe(pid)
      const { stdout } = yield* me.portctl("status")
      expect(stdout).toMatch(/^range +20000-20009$/m)
      expect(stdout).toContain(me.database)
    })
  )

  it.scopedLive("four at once: all succeed", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start")
      const all = yield* Effect.forEach(Array.from({ length: 4 }), () => me.portctl("stop"), {
        concurrency: "unbounded"
      })
      for (const { code, stderr } of all) expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    })
  )

  it.scopedLive("waits for the answers that are due", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start")
      const pid = yield* pidAt(me.port)
      // The server waits for the rest of this body, for 4 s at most.
      const socket = connect({ port: me.port, host: "127.0.0.1" })
      socket.on("error", () => {})
      socket.write("POST /v1/allocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
      expect((yield* call(me.port, "GET", "/healthz")).status).toBe(200)
      expectAnswer(yield* me.portctl("stop"), `stopped port-server (pid ${pid})\n`)
      expect(isAlive(pid)).toBe(false)
      socket.destroy()
    })
  )

  it.scopedLive("leaves a stranger alone whose number a forwarded server has", () =>
    Effect.gen(function* () {
      const me = yield* user
      const sleeper = yield* start("sleep", ["60"])
      const fake = yield* claiming(sleeper.pid)
      for (const verb of ["stop", "restart"]) {
        expectError(yield* me.portctl(`${verb} --port ${fake.port}`), refusal(fake.address, sleeper.pid))
      }
      expect(isAlive(sleeper.pid)).toBe(true)
      for (const pid of [1, 0, -1, 2 ** 22 + 1]) {
        const fake = yield* claiming(pid)
        expectError(yield* me.portctl(`stop --port ${fake.port}`), refusal(fake.address, pid))
      }
    })
  )

  linux("leaves a port-server alone that is reached through another port than its own", () =>
    Effect.gen(function* () {
      const me = yield* user
      const server = yield* startServer()
      const tunnel = yield* listener((socket) => {
        const far = connect({ port: server.port, host: "127.0.0.1" })
        far.on("error", () => socket.destroy())
        socket.pipe(far).pipe(socket)
      })
      expectError(yield* me.portctl(`stop --port ${tunnel.port}`), refusal(tunnel.address, server.pid))
      expect((yield* call(server.port, "GET", "/healthz")).status).toBe(200)
      // Nor one that only has the name.
      const fake = yield* claiming(server.pid)
      expectError(yield* me.portctl(`stop --port ${fake.port}`), refusal(fake.address, server.pid))
      expect(isAlive(server.pid)).toBe(true)
    })
  )

  const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"]
  const canBeNobody = spawnSync("setpriv", [...nobody, bin.portctl, "--version"]).status === 0
  const name = "says so when it belongs to another user"
  const test = canBeNobody ? it.scopedLive : it.scopedLive.skip
  test(canBeNobody ? name : `${name} (skipped: not root, or no setpriv)`, () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start")
      const pid = yield* pidAt(me.port)
      const env = { HOME: "/nonexistent", PORT_SERVER_ADDR: me.address }
      const stopping = yield* start("setpriv", [...nobody, bin.portctl, "stop"], { env, cwd: "/" })
      const sentence = `port-server (pid ${pid}) belongs to another user: only they can stop it`
      expectError(yield* stopping.ended, sentence)
      const restarting = yield* start("setpriv", [...nobody, bin.portctl, "restart"], { env, cwd: "/" })
      expectError(yield* restarting.ended, sentence)
      expect(isAlive(pid)).toBe(true)
    })
  )
})

describe.concurrent("portctl restart", () => {
  it.scopedLive("keeps the database, the range and --no-probe, and changes what a flag says", () =>
    Effect.gen(function* () {
      const me = yield* user
      const own = join(me.home, "own.db")
      yield* me.portctl(`start --db ${own} --range 4000-4999 --no-probe`)
      const first = yield* pidAt(me.port)
      const ended = yield* me.portctl("restart")
      const second = yield* pidAt(me.port)
      expect(second).not.toBe(first)
      expect(isAlive(first)).toBe(false)
      expectAnswer(
        ended,
        `restarted port-server at ${me.address} (pid ${second}), database ${own}, range 4000-4999, log ${me.log}\n`
      )
      expect((yield* call(me.port, "GET", "/v1/server")).json).toMatchObject({
        database: own,
        range: "4000-4999",
        probe: false
      })
      const info = yield* me.portctl("restart --range 5000-5999 --json")
      expect(JSON.parse(info.stdout)).toMatchObject({
        database: own,
        range: "5000-5999",
        probe: false,
        pid: yield* pidAt(me.port)
      })
      expect(yield* allocate(me.port, { app: "a" })).toMatchObject({ port: 5000 })
    })
  )

  it.scopedLive("starts one where none runs", () =>
    Effect.gen(function* () {
      const me = yield* user
      const ended = yield* me.portctl("restart")
      expectAnswer(ended, started(me, yield* pidAt(me.port)))
    })
  )
})

describe.concurrent("a log in a folder that is not there", () => {
  const places = {
    start: "start",
    restart: "restart",
    "the automatic start": "ensure --app a --instance b --service c"
  }
  for (const [name, args] of Object.entries(places)) {
    it.scopedLive(`is made with its folder by ${name}`, () =>
      Effect.gen(function* () {
        const me = yield* user
        const log = join(me.home, "none/deep/own.log")
        yield* me.portctl(`config set log ${log}`)
        expect((yield* me.portctl(args)).code).toBe(0)
        expect(readFileSync(log, "utf8")).toContain("listening")
      })
    )

    it.scopedLive(`is named by ${name} where the folder cannot be made`, () =>
      Effect.gen(function* () {
        const me = yield* user
        writeFileSync(join(me.home, "file"), "")
        const log = join(me.home, "file/own.log")
        yield* me.portctl(`config set log ${log}`)
        const ended = yield* me.portctl(args)
        expect(ended.stderr).toContain(`cannot write the log ${log}: it is in something that is not a folder`)
        expect(ended.stderr).not.toContain(".start-")
      })
    )
  }
})

describe.concurrent("portctl status", () => {
  it.scopedLive("tells of the server in a few aligned lines, or as the API does", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start")
      yield* allocate(me.port, { app: "a" })
      const pid = yield* pidAt(me.port)
      const ended = yield* me.portctl("status")
      expect(ended).toMatchObject({ code: 0, stderr: "" })
      expectClean(ended)
      expect(ended.stdout.split("\n")).toEqual([
        `pid          ${pid}`,
        expect.stringMatching(/^user {9}\S+$/),
        expect.stringMatching(/^version {6}\d+\.\d+\.\d+$/),
        `address      ${me.address}`,
        `socket       ${me.database}.sock`,
        `database     ${me.database}`,
        "range        3000-9999",
        "engine       auto",
        "allocations  1",
        expect.stringMatching(/^uptime {7}\d+ seconds?$/),
        ""
      ])
      expectAnswer(yield* me.portctl("status --json"), `${(yield* call(me.port, "GET", "/v1/server")).body}\n`)
    })
  )

  it.scopedLive("exits 3 when none runs", () =>
    Effect.gen(function* () {
      const me = yield* user
      const error = `port-server is not running at ${me.address}`
      expect(yield* me.portctl("status")).toEqual({ code: 3, signal: null, stdout: `${error}\n`, stderr: "" })
      expect(yield* me.portctl("status --json")).toEqual({
        code: 3,
        signal: null,
        stdout: `${JSON.stringify({ error })}\n`,
        stderr: ""
      })
      expect(readdirSync(me.home)).toEqual([])
    })
  )
})

describe.concurrent("a port-server that cannot be trusted to respond", () => {
  it.scopedLive("says nothing of itself that steers a terminal", () =>
    Effect.gen(function* () {
      const me = yield* user
      const [odd, shown] = ["\u001b[31m\u202e", "\\u{1b}[31m\\u{202e}"]
      const info = { version: odd, pid: 2, started_at: odd, database: odd, range: odd, allocations: 1 }
      const { address } = yield* answering("200 OK", JSON.stringify(info))
      const started = yield* me.portctl("start", { env: { PORT_SERVER_ADDR: address } })
      const sentence = `port-server is already running at ${address} (pid 2), database ${shown}, range ${shown}\n`
      expectAnswer(started, sentence)
    })
  )

  it.scopedLive("is named by its process, and ended by stop although it hangs", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start")
      yield* me.portctl("allocate --app a --instance b --service c")
      const pid = yield* pidAt(me.port)
      process.kill(pid, "SIGSTOP")
      const sentence = `error: port-server (pid ${pid}) at ${me.address} does not respond; portctl stop ends it\n`
      expect(yield* me.portctl("status")).toMatchObject({ code: 1, stderr: sentence })
      expect(yield* me.portctl("restart")).toMatchObject({ code: 1, stderr: sentence })
      expectAnswer(yield* me.portctl("stop"), `stopped port-server (pid ${pid})\n`)
      expect(isAlive(pid)).toBe(false)
      yield* me.portctl("start")
      expect((yield* me.portctl("list")).stdout).toMatch(/ a +b +c +/)
    })
  )
})

describe.concurrent("another program on the port", () => {
  const strangers = [
    [
      "a page",
      () => answering("200 OK", "<!doctype html>", "text/html"),
      /^error: what answers at \S+ is not a port-server .*\n$/
    ],
    [
      "a page that is not found",
      () => answering("404 Not Found", "no", "text/html"),
      /^error: what answers at \S+ is not a port-server .*\n$/
    ],
    [
      "a program that closes at once",
      () => listener((socket) => socket.destroy()),
      /^error: another program listens at \S+, and does not answer as port-server\n$/
    ],
    [
      "a program that never answers",
      () => listener(),
      /^error: another program listens at \S+, and does not answer as port-server\n$/
    ]
  ] as const
  for (const [name, make, sentence] of strangers) {
    it.scopedLive(`${name}: start, stop, restart and status say so and do nothing`, () =>
      Effect.gen(function* () {
        const me = yield* user
        const { address } = yield* make()
        const all = yield* Effect.forEach(
          ["start", "stop", "restart", "status"],
          (verb) => me.portctl(verb, { env: { PORT_SERVER_ADDR: address } }),
          { concurrency: "unbounded" }
        )
        for (const ended of all) {
          expect(ended).toMatchObject({ code: 1, stdout: "" })
          expect(ended.stderr).toMatch(sentence)
          expectClean(ended)
        }
        expect(readdirSync(me.home)).toEqual([])
      })
    )
  }

  it.scopedLive("a port-server that is older than this portctl", () =>
    Effect.gen(function* () {
      const me = yield* user
      const { address } = yield* listener((socket) =>
        socket.once("data", (data) => {
          const [status, body] = /healthz/.test(data.toString())
            ? ["200 OK", '{"status":"ok"}']
            : ["404 Not Found", '{"error":"not found"}']
          socket.end(
            `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
          )
        })
      )
      for (const verb of ["start", "stop", "status"]) {
        expectError(
          yield* me.portctl(verb, { env: { PORT_SERVER_ADDR: address } }),
          `the port-server at ${address} is older than this portctl and cannot say which process it is: stop it by hand, then run portctl start`
        )
      }
    })
  )
})
