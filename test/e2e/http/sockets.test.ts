import { spawnSync } from "node:child_process"
import { createSocket } from "node:dgram"
import { symlinkSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { freePorts, hasIpv6, listen, listeningProgram } from "../../support/Listening.ts"
import { portctl, start, startServer, temporaryFolder } from "../../support/Programs.ts"
import { connected, listener } from "../../support/Sockets.ts"
import { call } from "../../support/Wire.ts"

const check = (server: number, port: number) => Effect.map(call(server, "GET", `/v1/ports/${port}`), ({ json }) => json)

/** A UDP socket of the test's own, bound to the port. */
const udpSocket = (port: number) =>
  Effect.acquireRelease(
    Effect.async<ReturnType<typeof createSocket>>((resume) => {
      const socket = createSocket("udp4")
      socket.bind(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.close())
  )

/** Two programs that share a port: each has a socket of its own. */
const reusing = `require("node:net").createServer().listen(
  { host: "127.0.0.1", port: Number(process.argv[1]), reusePort: true }, () => console.log("listens"))`

/** A program that passes its listening socket on to a child, whose pid it prints. */
const sharing = `
  if (process.send) { process.once("message", () => process.send("has it")); setInterval(() => {}, 60_000) }
  else {
    const server = require("node:net").createServer().listen(Number(process.argv[1]), "127.0.0.1", () => {
      const child = require("node:child_process").spawn(process.execPath, ["-e", process.argv[2]], {
        stdio: ["ignore", "inherit", "inherit", "ipc", server._handle.fd]
      })
      child.once("message", () => console.log("shared with " + child.pid))
      child.send("start")
      process.on("exit", () => child.kill("SIGKILL"))
      process.on("SIGTERM", () => process.exit())
    })
  }`

describe("the sockets on a port", { concurrent: true }, () => {
  it.scopedLive("are one for each program that listens, at each address", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const cwd = yield* temporaryFolder
      const { pid, port } = yield* listeningProgram({ cwd, port: yield* freePorts(1) })
      if (hasIpv6) yield* listen("::1", port)
      const own = { protocol: "tcp", address: "127.0.0.1", state: "listening", pid, command: "node", cwd }
      const other = { protocol: "tcp", address: "::1", state: "listening", pid: process.pid }
      expect(yield* check(server.port, port)).toMatchObject({
        listener: { pid },
        listeners: hasIpv6 ? [own, other] : [own]
      })
      const { code, stdout } = yield* portctl(["check", "--port", String(port)], { server })
      expect(code).toBe(1)
      expect(stdout).toContain(`  node (pid ${pid}) is listening on it (tcp 127.0.0.1)\n`)
      if (hasIpv6) expect(stdout).toContain(`(pid ${process.pid}) is listening on it (tcp ::1)\n`)
    })
  )

  it.scopedLive("are shown with every process where several have SO_REUSEPORT", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const port = yield* freePorts(1)
      const [one, other] = [
        yield* start(process.execPath, ["-e", reusing, String(port)]),
        yield* start(process.execPath, ["-e", reusing, String(port)])
      ]
      yield* one.printed(/listens/)
      yield* other.printed(/listens/)
      const { listeners } = Object(yield* check(server.port, port))
      expect(listeners).toHaveLength(2)
      expect(listeners).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ pid: one.pid, address: "127.0.0.1" }),
          expect.objectContaining({ pid: other.pid, address: "127.0.0.1" })
        ])
      )
    })
  )

  it.scopedLive("are shown with every process that has one of them open", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const port = yield* freePorts(1)
      const parent = yield* Effect.acquireRelease(
        start(process.execPath, ["-e", sharing, String(port), sharing]),
        ({ ended, process }) =>
          Effect.zipRight(
            Effect.sync(() => process.kill("SIGTERM")),
            ended
          )
      )
      const [, child] = yield* parent.printed(/shared with (\d+)/)
      const { listeners } = Object(yield* check(server.port, port))
      expect(listeners.map(({ pid }: { readonly pid: number }) => pid).sort()).toEqual(
        [parent.pid, Number(child)].sort()
      )
    })
  )

  it.scopedLive("have names of at most 255 characters, however long a program calls itself", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const port = yield* freePorts(1)
      const program = "a".repeat(15)
      const cwd = yield* temporaryFolder
      symlinkSync(process.execPath, join(cwd, program))
      const named = 'exec -a "$(head -c 100000 /dev/zero | tr "\\0" a)" "$0" -e "$1" "$2"'
      const running = yield* start("bash", ["-c", named, join(cwd, program), reusing, String(port)], { cwd })
      yield* running.printed(/listens/)
      expect(yield* check(server.port, port)).toMatchObject({ listener: { command: "a".repeat(255) } })
    })
  )

  it.scopedLive("are known beside a process whose paths are too long to be read", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const cwd = yield* temporaryFolder
      yield* Effect.addFinalizer(() => Effect.sync(() => spawnSync("rm", ["-rf", join(cwd, "d".repeat(200))])))
      const [deep, other] = [yield* freePorts(2), yield* freePorts(2)]
      const descend = `
        const { mkdirSync, openSync } = require("node:fs")
        for (let depth = 0; depth < 25; depth++) {
          mkdirSync("d".repeat(200))
          process.chdir("d".repeat(200))
        }
        openSync("file", "w")`
      const program = yield* start(process.execPath, ["-e", `${descend}\n${reusing}`, String(deep)], { cwd })
      yield* program.printed(/listens/)
      const { pid } = yield* listeningProgram({ cwd, port: other })
      const found = yield* check(server.port, deep)
      expect(found).toMatchObject({ listener: { pid: program.pid, command: "node" } })
      expect(found).not.toHaveProperty("listener.cwd")
      const status = yield* check(server.port, other)
      expect(status).toMatchObject({ listener: { pid, cwd } })
      expect(status).not.toHaveProperty("listener_error")
    })
  )

  it.scopedLive("are those of UDP too", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const port = yield* freePorts(1)
      yield* udpSocket(port)
      const socket = { protocol: "udp", address: "127.0.0.1", state: "bound", pid: process.pid }
      expect(yield* check(server.port, port)).toMatchObject({
        available: true,
        listener: { pid: process.pid },
        listeners: [socket]
      })
      const checked = yield* portctl(["check", "--port", String(port)], { server })
      expect(checked.code).toBe(1)
      expect(checked.stdout).toMatch(new RegExp(`^port ${port} is not allocated, but .* is bound to it\n`))
      expect(checked.stdout).toContain(" is bound to it (udp 127.0.0.1)\n")
      const { stdout } = yield* portctl(["scan"], { server })
      expect(stdout).toMatch(new RegExp(`^${port} +udp +127\\.0\\.0\\.1 +bound `, "m"))
      expect((yield* portctl(["why", "--port", String(port)], { server })).stdout).toContain(
        " is bound to it (udp 127.0.0.1)\n"
      )
    })
  )

  it.scopedLive("are the local ends of connections where nothing listens", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { port } = yield* listener()
      const near = yield* connected(port)
      const connection = { protocol: "tcp", address: "127.0.0.1", state: "connected", pid: process.pid }
      expect(yield* check(server.port, near.port)).toMatchObject({ available: true, listeners: [connection] })
      const { listeners } = Object(yield* check(server.port, port))
      expect(listeners).toMatchObject([{ state: "listening", pid: process.pid }])
      const checked = yield* portctl(["check", "--port", String(near.port)], { server })
      expect(checked.code).toBe(1)
      expect(checked.stdout).toContain(" has a connection from it (tcp 127.0.0.1)\n")
      const listed = (yield* call(server.port, "GET", "/v1/listeners")).json
      expect(listed).toContainEqual(
        expect.objectContaining({ port: near.port, listeners: [expect.objectContaining(connection)] })
      )
    })
  )
})
