import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { until } from "../../support/Processes.ts"
import { bin, type PortServer, start, startServer, temporaryFolder } from "../../support/Programs.ts"
import { callSocket, connectsTo, silentSocket } from "../../support/UnixSockets.ts"
import { call } from "../../support/Wire.ts"

const socketOf = ({ database }: PortServer) => `${database}.sock`

const info = (path: string) => Effect.map(callSocket(path, "GET", "/v1/server"), ({ json }) => json)

/** The line about a socket that is not listened on. */
const tcpAlone = (server: PortServer) =>
  server.output.stdout.split("\n").filter((line) => line.includes("not listening on the socket"))

/** A path of exactly that many bytes. */
const longPath = (folder: string, bytes: number): string => {
  const inner = join(folder, "a".repeat(bytes - folder.length - 1 - "/ports.db.sock".length))
  mkdirSync(inner)
  const path = join(inner, "ports.db.sock")
  expect(Buffer.byteLength(path)).toBe(bytes)
  return path
}

describe.concurrent("the socket of a server", () => {
  it.scopedLive("is beside the database, has the API, and is told of by /v1/server", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const socket = socketOf(server)
      const body = { app: "a", instance: "b", service: "c" }
      const allocated = yield* callSocket(socket, "POST", "/v1/allocations", { body })
      expect(allocated.status).toBe(201)
      expect((yield* call(server.port, "GET", "/v1/allocations")).json).toEqual([allocated.json])
      expect(yield* info(socket)).toMatchObject({ pid: server.pid, socket })
      expect((yield* callSocket(socket, "GET", "/")).body).toMatch(/^<!doctype html>/i)
      expect(tcpAlone(server)).toEqual([])
    })
  )

  it.scopedLive("is its user's alone from its first moment on, whatever the umask is", () =>
    Effect.gen(function* () {
      for (const mask of ["000", "022", "777"]) {
        const folder = yield* temporaryFolder
        const database = join(folder, "ports.db")
        const running = yield* start(
          "bash",
          ["-c", `umask ${mask}; exec "$0" --port 0 --db "$1"`, bin.portServer, database],
          { env: { HOME: folder } }
        )
        yield* running.printed(/listening on/)
        expect(lstatSync(`${database}.sock`).mode & 0o7777, mask).toBe(0o600)
        expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([])
      }
    })
  )

  it.scopedLive.each(["--socket", "PORT_SERVER_SOCKET"])("is where %s says", (by) =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const path = join(folder, "other.sock")
      const server = yield* startServer(
        by === "--socket" ? { folder, args: ["--socket", path] } : { folder, env: { PORT_SERVER_SOCKET: path } }
      )
      expect(yield* info(path)).toMatchObject({ pid: server.pid, socket: path })
      expect(existsSync(socketOf(server))).toBe(false)
    })
  )

  it.scopedLive("is removed at a stop", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      server.process.kill("SIGTERM")
      expect(yield* server.ended).toMatchObject({ code: 0, stderr: "" })
      expect(readdirSync(server.home).filter((name) => /sock|^\./.test(name))).toEqual([])
    })
  )

  it.scopedLive("has a request in flight answered at a stop, and idle connections closed", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const socket = socketOf(server)
      const idle = connect({ path: socket })
      const open = connect({ path: socket })
      let received = ""
      open.setEncoding("latin1").on("data", (text: string) => {
        received += text
      })
      const closed = Effect.async<void>((resume) => void open.on("close", () => resume(Effect.void)))
      const body = JSON.stringify({ app: "a", instance: "b", service: "c" })
      open.write(
        `POST /v1/allocations HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`
      )
      yield* until(() => received.includes("100 Continue"))
      server.process.kill("SIGTERM")
      yield* until(() => !existsSync(socket))
      expect(yield* connectsTo(socket)).toBe("ENOENT")
      open.write(body)
      yield* closed
      expect(received).toMatch(/HTTP\/1\.1 201 Created/)
      expect(yield* server.ended).toMatchObject({ code: 0, stderr: "" })
      yield* until(() => idle.destroyed)
    })
  )

  it.scopedLive("has the time limits of TCP for clients that are slow", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const received = (bytes: string) =>
        Effect.async<string>((resume) => {
          let text = ""
          const socket = connect({ path: socketOf(server) }, () => socket.write(bytes))
          socket.setEncoding("latin1").on("data", (part: string) => {
            text += part
          })
          socket.on("close", () => resume(Effect.succeed(text)))
        })
      const post = "POST /v1/allocations HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{"
      for (const text of yield* Effect.all(["GET / HTTP/1.1\r\n", post, "\r\n"].map(received), { concurrency: 3 })) {
        expect(text).toMatch(/^HTTP\/1\.1 408 /)
      }
    })
  )

  it.scopedLive("is replaced after a kill -9", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const first = yield* startServer({ folder })
      first.process.kill("SIGKILL")
      yield* first.ended
      expect(yield* connectsTo(socketOf(first))).toBe("ECONNREFUSED")
      const second = yield* startServer({ folder })
      expect(yield* info(socketOf(second))).toMatchObject({ pid: second.pid })
      expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([])
    })
  )

  it.scopedLive("is told of as long as it has its path", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const told = Effect.map(call(server.port, "GET", "/v1/server"), ({ json }) => Object(json).socket)
      const path = socketOf(server)
      expect(yield* told).toBe(path)
      renameSync(path, `${path}.moved`)
      expect(yield* told).toBeUndefined()
      yield* silentSocket(path)
      expect(yield* told).toBeUndefined()
      rmSync(path)
      renameSync(`${path}.moved`, path)
      expect(yield* told).toBe(path)
    })
  )

  it.scopedLive("stays that of the first server when there is a second one", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const first = yield* startServer({ folder })
      const second = yield* startServer({ folder })
      expect(tcpAlone(second)).toEqual([expect.stringContaining("another server listens on it")])
      expect((yield* call(second.port, "GET", "/v1/server")).json).not.toHaveProperty("socket")
      second.process.kill("SIGTERM")
      yield* second.ended
      expect(yield* info(socketOf(first))).toMatchObject({ pid: first.pid })
    })
  )

  it.scopedLive("is had by exactly one of many servers that find a stale one", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const killed = yield* startServer({ folder })
      killed.process.kill("SIGKILL")
      yield* killed.ended
      const servers = yield* Effect.all(
        Array.from({ length: 5 }, () => startServer({ folder })),
        { concurrency: "unbounded" }
      )
      const told = yield* Effect.forEach(servers, ({ port }) => call(port, "GET", "/v1/server"))
      const owners = told.filter(({ body }) => body.includes('"socket"')).map(({ json }) => json)
      expect(owners).toEqual([yield* info(socketOf(killed))])
      expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([])
    })
  )

  it.scopedLive("is not taken from a program that listens on it and answers nothing", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const path = join(folder, "taken.sock")
      yield* silentSocket(path)
      const server = yield* startServer({ folder, args: ["--socket", path] })
      expect(tcpAlone(server)).toEqual([expect.stringContaining("another server listens on it")])
      expect(yield* connectsTo(path)).toBe("connected")
    })
  )

  it.scopedLive("can have a path of 107 bytes", () =>
    Effect.gen(function* () {
      const path = longPath(yield* temporaryFolder, 107)
      yield* startServer({ args: ["--socket", path] })
      expect(yield* connectsTo(path)).toBe("connected")
    })
  )

  it.scopedLive("is one line of the log where its path is longer", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const path = longPath(folder, 108)
      const log = join(folder, "log")
      const server = yield* start(bin.portServer, ["--port", "0", "--db", join(folder, "ports.db"), "--log", log], {
        env: { HOME: folder, PORT_SERVER_SOCKET: path }
      })
      yield* until(() => existsSync(log) && readFileSync(log, "utf8").includes("listening on http"))
      const lines = readFileSync(log, "utf8").trim().split("\n")
      expect(lines).toEqual([
        expect.stringContaining(`not listening on the socket ${path}, only on TCP: its path has 108 bytes`),
        expect.stringContaining("listening on http://127.0.0.1:")
      ])
      server.process.kill("SIGTERM")
      expect(yield* server.ended).toMatchObject({ code: 0 })
      expect(readdirSync(join(path, ".."))).toEqual([])
    })
  )

  it.scopedLive("is one line of the log where no socket can be made", () =>
    Effect.gen(function* () {
      for (const path of ["/proc/ports.db.sock", "/nonexistent/ports.db.sock"]) {
        const server = yield* startServer({ args: ["--socket", path] })
        expect(tcpAlone(server)).toEqual([expect.stringMatching(/ENOENT|EPERM|EACCES|EOPNOTSUPP|EROFS/)])
        expect((yield* call(server.port, "GET", "/healthz")).status).toBe(200)
      }
    })
  )

  it.scopedLive("never takes the place of a file or of a link", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const path = (name: string) => join(folder, name)
      writeFileSync(path("file"), "text")
      mkdirSync(path("folder"))
      symlinkSync("file", path("link"))
      symlinkSync("nowhere", path("dangling"))
      for (const name of ["file", "folder", "link", "dangling"]) {
        const before = lstatSync(path(name)).ino
        const server = yield* startServer({ args: ["--socket", path(name)] })
        expect(tcpAlone(server), name).toHaveLength(1)
        server.process.kill("SIGTERM")
        yield* server.ended
        expect(lstatSync(path(name)).ino, name).toBe(before)
      }
      expect(readFileSync(path("file"), "utf8")).toBe("text")
      expect(existsSync(path("nowhere"))).toBe(false)
      expect(readdirSync(folder).sort()).toEqual(["dangling", "file", "folder", "link"])
    })
  )

  it.scopedLive("leaves what has taken its place alone at a stop", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const socket = socketOf(server)
      rmSync(socket)
      writeFileSync(socket, "mine")
      server.process.kill("SIGTERM")
      yield* server.ended
      expect(readFileSync(socket, "utf8")).toBe("mine")
    })
  )
})

describe("who may ask by the socket", () => {
  it.scopedLive("any Host, but no web page of another origin", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const socket = socketOf(server)
      const status = (headers: Readonly<Record<string, string>>) =>
        Effect.map(callSocket(socket, "GET", "/v1/allocations", { headers }), (answer) => answer.status)
      expect(yield* status({ Host: "example.com" })).toBe(200)
      expect(yield* status({ Host: "localhost", Origin: "http://localhost" })).toBe(200)
      for (const headers of [
        { Origin: "http://example.com" },
        { Host: "example.com", Origin: "http://example.com" },
        { Host: "localhost", Origin: "null" },
        { "Sec-Fetch-Site": "cross-site" }
      ]) {
        expect(yield* status(headers), JSON.stringify(headers)).toBe(403)
      }
      const answer = yield* callSocket(socket, "GET", "/healthz", { headers: { Origin: "http://example.com" } })
      expect(answer.json).toEqual({ error: "forbidden origin" })
      // By TCP, Host is what it was.
      expect((yield* call(server.port, "GET", "/healthz")).status).toBe(200)
    })
  )
})
