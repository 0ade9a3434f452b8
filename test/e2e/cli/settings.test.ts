import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { isAlive, pidAt, type User, user } from "../../support/Daemon.ts"
import { expectError } from "../../support/Expectations.ts"
import { until } from "../../support/Processes.ts"
import { bin, start, startServer } from "../../support/Programs.ts"
import { listener, refusing } from "../../support/Sockets.ts"
import { call } from "../../support/Wire.ts"

const configOf = ({ home }: User) => join(home, ".port_server/config.json")
const settingsOf = (me: User): unknown => JSON.parse(readFileSync(configOf(me), "utf8"))
const infoAt = (port: number) => Effect.map(call(port, "GET", "/v1/server"), ({ json }) => json)

/** End the server that a user's portctl started as a crash would. */
const crash = (me: User) =>
  Effect.gen(function* () {
    const pid = yield* pidAt(me.port)
    process.kill(pid, "SIGKILL")
    yield* refusing(me.port)
  })

const configure = (me: User, text: string, mode = 0o600) => {
  mkdirSync(join(me.home, ".port_server"), { recursive: true, mode: 0o700 })
  writeFileSync(configOf(me), text, { mode })
}

const ensure = "ensure --app a --instance b --service web"

describe.concurrent("how a server was started", () => {
  it.scopedLive(
    "is kept: after a crash the next command starts it with the same database, range, probe, log and socket",
    () =>
      Effect.gen(function* () {
        const me = yield* user
        const home = realpathSync(me.home)
        const busy = yield* listener()
        const range = `${busy.port}-${busy.port + 9}`
        expect(
          (yield* me.portctl(`start --db team.db --range ${range} --no-probe --log own.log --socket s.sock`)).code
        ).toBe(0)
        const wanted = { database: join(home, "team.db"), range, probe: false, socket: join(home, "s.sock") }
        expect(settingsOf(me)).toEqual({ servers: { [me.address]: { ...wanted, log: join(home, "own.log") } } })
        expect(statSync(configOf(me)).mode & 0o777).toBe(0o600)
        const first = yield* me.portctl(ensure)
        expect(first.stdout).toBe(`a/b\nweb  ${busy.port}\n`)
        yield* crash(me)
        const again = yield* me.portctl(ensure)
        expect(again).toMatchObject({ code: 0, stdout: first.stdout })
        expect(again.stderr).toMatch(/^started port-server /)
        expect(yield* infoAt(me.port)).toMatchObject(wanted)
        expect(readFileSync(join(home, "own.log"), "utf8").match(/listening/g)).toHaveLength(2)
        expect((yield* me.portctl("stop")).code).toBe(0)
        expect((yield* me.portctl("start")).code).toBe(0)
        expect(yield* infoAt(me.port)).toMatchObject(wanted)
        const unit = yield* me.portctl("service install --dry-run --format systemd")
        expect(unit.stdout).toContain(`"--db" "${wanted.database}" "--range" "${range}" "--no-probe" "--log"`)
      })
  )

  it.scopedLive("is kept of the environment, too, and flags win over that, and both over what is kept", () =>
    Effect.gen(function* () {
      const me = yield* user
      const env = { PORT_SERVER_DB: join(me.home, "env.db"), PORT_SERVER_RANGE: "4000-4999" }
      yield* me.portctl(ensure, { env })
      yield* crash(me)
      yield* me.portctl(ensure)
      expect(yield* infoAt(me.port)).toMatchObject({ database: env.PORT_SERVER_DB, range: "4000-4999" })
      expect((yield* me.portctl("restart --range 6000-6999", { env })).code).toBe(0)
      expect(yield* infoAt(me.port)).toMatchObject({ database: env.PORT_SERVER_DB, range: "6000-6999" })
      expect((yield* me.portctl("restart", { env: { PORT_SERVER_RANGE: "7000-7999" } })).code).toBe(0)
      yield* crash(me)
      yield* me.portctl(ensure)
      expect(yield* infoAt(me.port)).toMatchObject({ database: env.PORT_SERVER_DB, range: "7000-7999" })
    })
  )

  it.scopedLive("is what the file says at a restart, and --probe undoes --no-probe", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start --no-probe --range 4000-4999")
      configure(me, JSON.stringify({ servers: { [me.address]: { range: "5000-5999", probe: false } } }))
      expect((yield* me.portctl("restart")).code).toBe(0)
      expect(yield* infoAt(me.port)).toMatchObject({ range: "5000-5999", probe: false })
      expectError(
        yield* me.portctl("start --probe"),
        `port-server is already running at ${me.address} (pid ${yield* pidAt(me.port)}) with --no-probe; to change that: portctl restart --probe`
      )
      expect((yield* me.portctl("restart --probe")).code).toBe(0)
      expect(yield* infoAt(me.port)).toMatchObject({ range: "5000-5999", probe: true })
    })
  )

  it.scopedLive("of one that was started by hand is kept by a restart", () =>
    Effect.gen(function* () {
      const me = yield* user
      const server = yield* startServer({ args: ["--range", "4000-4999"] })
      const env = { PORT_SERVER_ADDR: server.address }
      yield* Effect.addFinalizer(() => me.portctl("stop", { env }))
      expect((yield* me.portctl("restart", { env })).code).toBe(0)
      process.kill(yield* pidAt(server.port), "SIGKILL")
      yield* refusing(server.port)
      yield* me.portctl(ensure, { env })
      expect(yield* infoAt(server.port)).toMatchObject({
        database: server.database,
        range: "4000-4999",
        probe: false
      })
    })
  )

  it.scopedLive("of one that was started by hand with allowed hosts and a log is kept by a restart", () =>
    Effect.gen(function* () {
      const me = yield* user
      mkdirSync(join(me.home, ".port_server"), { mode: 0o700 })
      writeFileSync(join(me.home, ".port_server/token"), "0123456789abcdef".repeat(4), { mode: 0o600 })
      const log = join(me.home, "by-hand.log")
      const args = ["--port", String(me.port), "--db", me.database, "--log", log, "--allow-host", "relay.test,b.test"]
      yield* start(bin.portServer, args, { env: me.env })
      yield* until(() => existsSync(log) && readFileSync(log, "utf8").includes("listening"))
      const restarted = yield* me.portctl("restart")
      expect(restarted).toMatchObject({ code: 0, stderr: "" })
      expect(restarted.stdout).toContain(`, log ${log}\n`)
      expect(yield* infoAt(me.port)).toMatchObject({ allow_hosts: ["relay.test", "b.test"], log })
      for (const key of ["allow_hosts", "log"]) expect((yield* me.portctl(`config unset ${key}`)).code).toBe(0)
      expect(settingsOf(me)).toEqual({ servers: { [me.address]: { unset: ["allow_hosts", "log"] } } })
      expect((yield* me.portctl("restart")).code).toBe(0)
      const info = yield* infoAt(me.port)
      expect(info).toMatchObject({ log: me.log })
      expect(info).not.toHaveProperty("allow_hosts")
    })
  )

  it.scopedLive("is not kept of a start that failed, and each address has its own", () =>
    Effect.gen(function* () {
      const me = yield* user
      const other = yield* user
      yield* me.portctl("start --range 4000-4999")
      expect((yield* me.portctl("start --db /missing/ports.db")).code).toBe(1)
      expect((yield* me.portctl("restart --db /missing/ports.db")).code).toBe(1)
      yield* Effect.addFinalizer(() => me.portctl(`stop --port ${other.port}`))
      const args = `start --port ${other.port} --db ${join(other.home, "other.db")}`
      expect((yield* me.portctl(args)).code).toBe(0)
      expect(settingsOf(me)).toEqual({
        servers: {
          [me.address]: { range: "4000-4999" },
          [other.address]: { database: join(other.home, "other.db") }
        }
      })
    })
  )

  const nobody = 65_534
  const asRoot = process.getuid?.() === 0 ? it.scopedLive : it.scopedLive.skip
  asRoot("is not written into another user's file: a note, and the server runs", () =>
    Effect.gen(function* () {
      const me = yield* user
      const theirs = join(me.home, "theirs")
      writeFileSync(theirs, "{}")
      chmodSync(theirs, 0o644)
      chownSync(theirs, nobody, nobody)
      mkdirSync(join(me.home, ".port_server"), { mode: 0o700 })
      symlinkSync(theirs, configOf(me))
      const ended = yield* me.portctl("start --range 4000-4999")
      expect(ended.code).toBe(0)
      expect(ended.stderr).toBe(
        `note: how port-server was started is not kept for the next start: cannot write ${JSON.stringify(configOf(me))}: it belongs to another user\n`
      )
      expect(readFileSync(theirs, "utf8")).toBe("{}")
      expect(statSync(theirs).mode & 0o777).toBe(0o644)
    })
  )
})

describe.concurrent("config.json", () => {
  it.scopedLive("keeps its mode, and is written through a link to an own file", () =>
    Effect.gen(function* () {
      const me = yield* user
      mkdirSync(join(me.home, ".port_server"), { mode: 0o700 })
      const target = join(me.home, "dotfiles.json")
      writeFileSync(target, '{"$schema": "x"}')
      chmodSync(target, 0o644)
      symlinkSync(target, configOf(me))
      expect(yield* me.portctl("start --range 4000-4999")).toMatchObject({ code: 0, stderr: "" })
      expect(lstatSync(configOf(me)).isSymbolicLink()).toBe(true)
      expect(statSync(target).mode & 0o777).toBe(0o644)
      expect(settingsOf(me)).toEqual({ $schema: "x", servers: { [me.address]: { range: "4000-4999" } } })
    })
  )

  it.scopedLive("has the usual address where PORT_SERVER_ADDR does not", () =>
    Effect.gen(function* () {
      const me = yield* user
      const server = yield* startServer()
      const env = { PORT_SERVER_ADDR: "" }
      configure(me, JSON.stringify({ address: server.address }))
      expect(yield* me.portctl("health", { env })).toMatchObject({ code: 0, stdout: "ok\n" })
      expect((yield* me.portctl("status --json", { env })).stdout).toContain(`"pid":${server.pid}`)
      expect((yield* me.portctl("start", { env })).stdout).toContain(`already running at ${server.address} `)
      expect((yield* me.portctl("health")).stderr).toContain(`cannot reach port-server at ${me.address} `)
      configure(me, JSON.stringify({ address: "example.test:80" }))
      expectError(
        yield* me.portctl("start", { env }),
        `address in ${configOf(me)} is example.test:80, another machine than this: only a server at 127.0.0.1 or localhost can be started and stopped`
      )
    })
  )

  const invalid: ReadonlyArray<readonly [text: string, message: (file: string) => string]> = [
    ["", (file) => `${file}:1:1 is not JSON: Unexpected end of JSON input`],
    ['{\n  "servers": x\n}', (file) => `${file}:2:14 is not JSON: Unexpected token 'x'`],
    [
      '{"servers": {},\n"servers": {}}',
      (file) => `${file}:2:1 has the key "servers" for the second time; keep one of them`
    ],
    ["[]", (file) => `${file}: must be an object like {"servers": {"127.0.0.1:51234": {}}}`],
    ['{"server": {}}', (file) => `${file}: unknown field "server", did you mean "servers"?`],
    ['{"address": "nowhere"}', (file) => `${file}: the address must be host:port like 127.0.0.1:51234, not "nowhere"`],
    [
      '{"servers": {"localhost:51234": {}}}',
      (file) => `${file}: servers has "localhost:51234", which must be like 127.0.0.1:51234`
    ],
    [
      '{"servers": {"127.0.0.1:51234": {"range": "5-1"}}}',
      (file) =>
        `${file}: servers.127.0.0.1:51234.range: range must be two ports like 3000-9999, the first not above the last`
    ],
    [
      '{"servers": {"127.0.0.1:51234": {"database": "x.db"}}}',
      (file) => `${file}: servers.127.0.0.1:51234.database: database must be an absolute path`
    ],
    [
      '{"servers": {"127.0.0.1:51234": {"prob": true}}}',
      (file) => `${file}: servers.127.0.0.1:51234: unknown field "prob", did you mean "probe"?`
    ],
    [
      '{"servers": {"127.0.0.1:51234": {"probe": "no"}}}',
      (file) => `${file}: servers.127.0.0.1:51234.probe: probe must be true or false`
    ]
  ]
  for (const [text, message] of invalid) {
    it.scopedLive(`that is ${JSON.stringify(text)} is one error that names the place, and is left as it is`, () =>
      Effect.gen(function* () {
        const me = yield* user
        configure(me, text)
        const sentence = message(configOf(me))
        expectError(yield* me.portctl("start --range 4000-4999"), sentence)
        expectError(yield* me.portctl(ensure), sentence)
        expectError(yield* me.portctl("list", { env: { PORT_SERVER_ADDR: "" } }), sentence)
        expect(readFileSync(configOf(me), "utf8")).toBe(text)
      })
    )
  }
})

/** A request whose body never ends, for which a stop waits. */
const pending = (port: number) => {
  const socket = connect({ port, host: "127.0.0.1" })
  socket.on("error", () => {})
  socket.write("POST /v1/allocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
}

describe("while another portctl starts or stops the server", () => {
  it.scopedLive("start waits for the end of a stop, and the lock dies with its process", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start")
      const first = yield* pidAt(me.port)
      pending(me.port)
      const stopping = yield* Effect.fork(me.portctl("stop"))
      yield* refusing(me.port)
      const ended = yield* me.portctl("start")
      expect(ended).toMatchObject({ code: 0, stderr: "" })
      expect(ended.stdout).toMatch(/^started port-server at /)
      expect(isAlive(first)).toBe(false)
      expect((yield* Fiber.join(stopping)).stdout).toBe(`stopped port-server (pid ${first})\n`)

      const second = yield* pidAt(me.port)
      pending(me.port)
      const killed = yield* start(bin.portctl, ["stop"], { env: me.env })
      yield* refusing(me.port)
      expect(isAlive(second)).toBe(true)
      killed.process.kill("SIGKILL")
      expect((yield* me.portctl("start")).stdout).toMatch(/^started port-server at /)
    })
  )

  it.scopedLive("list waits for the end of a restart", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start")
      yield* me.portctl(ensure)
      pending(me.port)
      const restarting = yield* Effect.fork(me.portctl("restart"))
      yield* refusing(me.port)
      const listed = yield* me.portctl("list --json")
      expect(listed).toMatchObject({ code: 0, stderr: "" })
      expect(listed.stdout).toContain('"service": "web"')
      expect((yield* Fiber.join(restarting)).code).toBe(0)
    })
  )

  it.scopedLive("a restart that is interrupted comes to its end", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start --range 4000-4999")
      const first = yield* pidAt(me.port)
      pending(me.port)
      const restarting = yield* start(bin.portctl, ["restart"], { env: me.env })
      yield* refusing(me.port)
      restarting.process.kill("SIGINT")
      expect((yield* restarting.ended).code).toBe(130)
      expect(yield* pidAt(me.port)).not.toBe(first)
      expect(yield* infoAt(me.port)).toMatchObject({ range: "4000-4999" })
    })
  )

  const linux = process.platform === "linux" ? it.scopedLive : it.scopedLive.skip
  linux("the server that was started does not have the lock", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start")
      expect(readFileSync("/proc/net/unix", "utf8")).not.toContain(me.address)
      expect(yield* me.portctl("restart")).toMatchObject({ code: 0 })
    })
  )
})

/** A server that closes the first connections once a request has come, and answers the others. */
const unsteady = (closed: number, body: string) => {
  let count = 0
  return listener((socket) =>
    socket.once("data", () => {
      if (count++ < closed) return void socket.resetAndDestroy()
      socket.end(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
      )
    })
  )
}

describe.concurrent("a connection that is closed before the response", () => {
  for (const [args, body, answer] of [
    ["list", "[]", "no allocations\n"],
    ["health", '{"status":"ok"}', "ok\n"],
    ["check --port 80", '{"port":80,"available":true}', "port 80 is available\n"]
  ] as const) {
    it.scopedLive(`portctl ${args} is sent again`, () =>
      Effect.gen(function* () {
        const me = yield* user
        const { address, connections } = yield* unsteady(3, body)
        const ended = yield* me.portctl(args, { env: { PORT_SERVER_ADDR: address } })
        expect(ended).toMatchObject({ code: 0, stdout: answer, stderr: "" })
        expect(connections()).toBe(4)
      })
    )
  }

  for (const args of ["allocate --app a --instance b --service c", "release --id 1", "release --app a"]) {
    it.scopedLive(`portctl ${args} is not sent again`, () =>
      Effect.gen(function* () {
        const me = yield* user
        const { address, connections } = yield* unsteady(1, "{}")
        const ended = yield* me.portctl(args, { env: { PORT_SERVER_ADDR: address } })
        expect(ended).toMatchObject({ code: 1, stdout: "" })
        expect(connections()).toBe(1)
      })
    )
  }
})

describe("many clients", () => {
  const names = Array.from({ length: 8 }, (_, index) => `project${index}`)
  const ensureOf = (name: string) => `ensure --app ${name} --instance main --service web,db`

  it.scopedLive("restarts change nobody's ports", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("start --db own.db --range 30000-30999 --no-probe")
      const wanted = yield* Effect.forEach(names, (name) =>
        Effect.map(me.portctl(ensureOf(name)), ({ stdout }) => [name, stdout] as const)
      )
      let isOver = false
      const clients = yield* Effect.forEach(
        wanted,
        ([name, stdout]) =>
          me.portctl(ensureOf(name)).pipe(
            Effect.tap((ended) => Effect.sync(() => expect(ended).toMatchObject({ code: 0, stdout, stderr: "" }))),
            Effect.repeat({ until: () => isOver })
          ),
        { concurrency: "unbounded" }
      ).pipe(Effect.fork)
      for (let round = 0; round < 2; round++) {
        // The stop takes seconds, in which nobody listens and each client comes by.
        pending(me.port)
        expect((yield* me.portctl("restart")).code).toBe(0)
      }
      isOver = true
      yield* Fiber.join(clients)
      expect(yield* infoAt(me.port)).toMatchObject({ database: join(realpathSync(me.home), "own.db") })
    })
  )
})
