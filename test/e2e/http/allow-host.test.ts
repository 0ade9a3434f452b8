import { randomBytes } from "node:crypto"
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { errorOf } from "../../support/Api.ts"
import { user } from "../../support/Daemon.ts"
import { documentPath } from "../../support/Markdown.ts"
import { bin, portctl, start, startServer, temporaryFolder } from "../../support/Programs.ts"
import { relay } from "../../support/Relays.ts"
import { callSocket } from "../../support/UnixSockets.ts"
import { exchange, parseAnswer, send } from "../../support/Wire.ts"

const token = randomBytes(32).toString("hex")
const host = "relay.test"
const refused =
  "requests for this host need the header Port-Server-Token (portctl sends PORT_SERVER_TOKEN, or what ~/.port_server/token has)"

/** The status of the response to a request as it is written; the page is not JSON. */
const statusOf = (port: number, head: string) =>
  Effect.map(exchange(port, `${head.replaceAll("\n", "\r\n")}\r\nConnection: close\r\n\r\n`), (received) =>
    Number(/^HTTP\/1\.1 (\d+)/.exec(received)?.[1])
  )

const allowing = startServer({
  args: ["--allow-host", `${host},other.test`, "--allow-host", "third.test"],
  env: { PORT_SERVER_TOKEN: token }
})

describe("--allow-host", () => {
  it.scopedLive("demands the token for every path and method, and changes nothing without its Host", () =>
    Effect.gen(function* () {
      const server = yield* allowing
      const port = yield* relay(server.port)
      const status = (line: string, ...headers: ReadonlyArray<string>) => statusOf(port, [line, ...headers].join("\n"))
      const lines = [
        "GET / HTTP/1.1",
        "GET /dashboard.js HTTP/1.1",
        "GET /docs HTTP/1.1",
        "GET /healthz HTTP/1.1",
        "HEAD /healthz HTTP/1.1",
        "GET /v1/allocations HTTP/1.1",
        "GET /v1/events/stream?kind=allocated HTTP/1.1",
        "GET /nowhere HTTP/1.1",
        "OPTIONS /v1/allocations HTTP/1.1",
        "PUT /v1/allocations HTTP/1.1",
        "DELETE /v1/allocations/1 HTTP/1.1",
        "POST /v1/allocations HTTP/1.1",
        "GET /healthz HTTP/1.0"
      ]
      for (const line of lines) {
        expect(yield* status(line, `Host: ${host}`), line).toBe(403)
        expect(yield* status(line, "Host: RELAY.test:4000"), line).toBe(403)
        expect(yield* status(line, `Host: ${host}`, `Port-Server-Token: ${token.slice(1)}0`), line).toBe(403)
      }
      const answer = yield* send(port, `GET / HTTP/1.1\nHost: ${host}`)
      expect(answer.json).toEqual({ error: refused })
      const withToken = `Port-Server-Token: ${token}`
      for (const name of [host, "RELAY.TEST:51234", "other.test", "third.test:1"]) {
        expect(yield* status("GET / HTTP/1.1", `Host: ${name}`, withToken), name).toBe(200)
      }
      expect(yield* status("OPTIONS /v1/allocations HTTP/1.1", `Host: ${host}`, withToken)).toBe(204)
      for (const headers of [
        ["Host: unknown.test", withToken],
        [`Host: x.${host}`, withToken],
        [`Host: ${host}.`, withToken],
        [`Host: ${host}`, withToken, withToken],
        [`Host: ${host}`, "Port-Server-Token:"],
        [`Host: ${host}`, withToken, "Origin: http://example.com"],
        [`Host: ${host}`, withToken, "Sec-Fetch-Site: cross-site"]
      ]) {
        expect(yield* status("GET /healthz HTTP/1.1", ...headers), headers.join()).toBe(403)
      }
      for (const name of ["127.0.0.1", "localhost:1", "[::1]"]) {
        expect(yield* status("GET /healthz HTTP/1.1", `Host: ${name}`), name).toBe(200)
        expect(yield* status("GET /healthz HTTP/1.1", `Host: ${name}`, "Port-Server-Token: x"), name).toBe(200)
      }
    })
  )

  it.scopedLive("refuses a tunnel without the token, and asks for it on the socket, too", () =>
    Effect.gen(function* () {
      const server = yield* allowing
      const tunnel = yield* exchange(server.port, `CONNECT /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      expect(parseAnswer(tunnel).status).toBe(403)
      const bySocket = (headers: Readonly<Record<string, string>>) =>
        callSocket(`${server.database}.sock`, "GET", "/healthz", { headers })
      expect(errorOf(yield* bySocket({ Host: host }))).toBe(refused)
      expect((yield* bySocket({ Host: host, "Port-Server-Token": token })).status).toBe(200)
      expect((yield* bySocket({ Host: "unknown.test" })).status).toBe(200)
    })
  )

  it.scopedLive("without the flag a token is of no use", () =>
    Effect.gen(function* () {
      const server = yield* startServer({ env: { PORT_SERVER_TOKEN: token } })
      const answer = yield* send(server.port, `GET /healthz HTTP/1.1\nHost: ${host}\nPort-Server-Token: ${token}`)
      expect(answer).toMatchObject({ status: 403, json: { error: "forbidden host" } })
      expect(existsSync(join(server.home, ".port_server"))).toBe(false)
    })
  )

  it.scopedLive("makes a token of its own where there is none, and keeps that", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const file = join(folder, ".port_server/token")
      const args = ["--allow-host", host]
      const first = yield* startServer({ folder, args })
      const made = readFileSync(file, "utf8")
      expect(made).toMatch(/^[\w-]{43}\n$/)
      expect(statSync(file).mode & 0o777).toBe(0o600)
      expect(statSync(join(folder, ".port_server")).mode & 0o777).toBe(0o700)
      const status = (port: number, text: string) =>
        statusOf(port, `GET / HTTP/1.1\nHost: ${host}\nPort-Server-Token: ${text}`)
      expect(yield* status(first.port, made.trim())).toBe(200)
      const second = yield* startServer({ folder, env: { PORT_SERVER_ALLOW_HOST: host } })
      expect(readFileSync(file, "utf8")).toBe(made)
      expect(yield* status(second.port, made.trim())).toBe(200)
      expect(yield* status(second.port, made.trim().toUpperCase())).toBe(403)
    })
  )

  it.scopedLive("is one sentence, without the token, where that cannot be used", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      mkdirSync(join(folder, ".port_server"))
      const file = join(folder, ".port_server/token")
      const failure = (env: Readonly<Record<string, string>> = {}, name = host) =>
        start(bin.portServer, ["--port", "0", "--db", join(folder, "ports.db"), "--allow-host", name], {
          env: { HOME: folder, ...env }
        }).pipe(
          Effect.flatMap(({ ended }) => ended),
          Effect.map(({ code, stderr }) => ({ code, stderr }))
        )
      const check = start(bin.portServer, ["--dry-run", "--db", join(folder, "ports.db"), "--allow-host", host], {
        env: { HOME: folder }
      }).pipe(Effect.flatMap(({ ended }) => ended))
      expect((yield* check).code).toBe(0)
      expect(existsSync(file)).toBe(false)
      const form = "must have 32 to 512 visible ASCII characters without spaces, as openssl rand -hex 32 prints them"
      expect(yield* failure({ PORT_SERVER_TOKEN: "secret-but-short" })).toEqual({
        code: 1,
        stderr: `error: PORT_SERVER_TOKEN: the token ${form}\n`
      })
      writeFileSync(file, `${token}\n`, { mode: 0o644 })
      const unusable = (reason: string) => ({
        code: 1,
        stderr: `error: cannot use the token in ${file}: ${reason}\n`
      })
      expect((yield* check).stderr).toBe(unusable("others than its owner may open it; chmod 600 mends that").stderr)
      expect(yield* failure()).toEqual(unusable("others than its owner may open it; chmod 600 mends that"))
      chmodSync(file, 0o600)
      writeFileSync(file, "secret-but-short")
      expect(yield* failure()).toEqual(unusable(`it ${form}`))
      const other = yield* temporaryFolder
      mkdirSync(join(other, ".port_server"))
      symlinkSync(file, join(other, ".port_server/token"))
      expect((yield* failure({ HOME: other })).stderr).toContain("it is a symbolic link")
      for (const name of ["localhost", "127.0.0.1", "a b", "a:1", "http://a", ""]) {
        expect((yield* failure({}, name)).stderr, name).toMatch(/^error: .*(allowed|allow-host)/)
      }
    })
  )
})

describe("the typed client at an allowed host", () => {
  it.scopedLive("sends the token", () =>
    Effect.gen(function* () {
      const server = yield* startServer({ args: ["--allow-host", "127.0.0.2"], env: { PORT_SERVER_TOKEN: token } })
      const env = { PORT_SERVER_ADDR: `127.0.0.2:${yield* relay(server.port, "127.0.0.2")}`, HOME: server.home }
      const example = (extra: Readonly<Record<string, string>>) =>
        start(process.execPath, [documentPath("examples/dist/allocate.js")], { env: { ...env, ...extra } }).pipe(
          Effect.flatMap(({ ended }) => ended)
        )
      expect(yield* example({ PORT_SERVER_TOKEN: token })).toMatchObject({ code: 0, stderr: "" })
      expect(yield* example({})).toMatchObject({ code: 1, stderr: `error: ${refused}\n` })
      expect((yield* example({ PORT_SERVER_TOKEN: "short" })).stderr).toMatch(/^error: .*PORT_SERVER_TOKEN: the token /)
    })
  )
})

describe("portctl at an allowed host", () => {
  it.scopedLive("sends the token from the environment or the file, by a relay", () =>
    Effect.gen(function* () {
      const server = yield* startServer({ args: ["--allow-host", "127.0.0.2"], env: { PORT_SERVER_TOKEN: token } })
      const port = yield* relay(server.port, "127.0.0.2")
      const home = yield* temporaryFolder
      const run = (args: string, env: Readonly<Record<string, string>> = {}) =>
        portctl(args.split(" "), { env: { HOME: home, PORT_SERVER_ADDR: `127.0.0.2:${port}`, ...env } })
      expect(yield* run("ensure --app a --instance b --service web")).toMatchObject({ code: 1, stdout: "" })
      expect((yield* run("list")).stderr).toContain(`error: ${refused}`)
      const env = { PORT_SERVER_TOKEN: token }
      expect(yield* run("ensure --app a --instance b --service web", env)).toMatchObject({
        code: 0,
        stdout: "a/b\nweb  3000\n"
      })
      expect((yield* run("status", env)).stdout).toMatch(/^allowed +127\.0\.0\.2$/m)
      expect((yield* run("dashboard", env)).stderr).toMatch(/^error: a browser does not send the token/)
      mkdirSync(join(home, ".port_server"), { mode: 0o700 })
      writeFileSync(join(home, ".port_server/token"), `${token}\n`, { mode: 0o600 })
      expect((yield* run("list")).stdout).toContain("3000")
      chmodSync(join(home, ".port_server/token"), 0o640)
      expect(yield* run("list")).toMatchObject({
        code: 1,
        stderr: `error: cannot reach port-server at 127.0.0.2:${port}: cannot use the token in ${home}/.port_server/token: others than its owner may open it; chmod 600 mends that\n`
      })
    })
  )

  it.scopedLive("starts a server with its hosts, which are kept, and gives it the token without a command line", () =>
    Effect.gen(function* () {
      const me = yield* user
      const env = { PORT_SERVER_TOKEN: token }
      expect((yield* me.portctl(`start --allow-host ${host}`, { env })).code).toBe(0)
      const info = yield* me.portctl("status --json")
      const pid = /"pid":(\d+)/.exec(info.stdout)?.[1] ?? ""
      expect(info.stdout).toContain(`"allow_hosts":["${host}"]`)
      expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain(token)
      const status = statusOf(me.port, `GET / HTTP/1.1\nHost: ${host}\nPort-Server-Token: ${token}`)
      expect(yield* status).toBe(200)
      expect(JSON.parse(readFileSync(join(me.home, ".port_server/config.json"), "utf8"))).toEqual({
        servers: { [me.address]: { allow_hosts: [host] } }
      })
      expect((yield* me.portctl("config get allow_hosts")).stdout).toBe(`${host}\n`)
      expect((yield* me.portctl("config unset allow_hosts")).code).toBe(0)
      expect((yield* me.portctl("restart")).code).toBe(0)
      expect(yield* status).toBe(403)
    })
  )
})
