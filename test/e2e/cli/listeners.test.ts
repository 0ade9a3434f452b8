import { spawnSync } from "node:child_process"
import { mkdir, rm, symlink } from "node:fs/promises"
import { userInfo } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate } from "../../support/Api.ts"
import { expectAnswer, expectClean, expectError } from "../../support/Expectations.ts"
import { freePorts, hasIpv6, listen, listeningProgram } from "../../support/Listening.ts"
import {
  bin,
  type Ended,
  type PortServer,
  portctl,
  start,
  startServer,
  temporaryFolder
} from "../../support/Programs.ts"
import { answering, listener } from "../../support/Sockets.ts"
import { onTerminal } from "../../support/Terminals.ts"
import { call } from "../../support/Wire.ts"

const promise = <A>(run: () => Promise<A>) => Effect.promise(run)
const user = userInfo().username

/** A program called postgres that listens, in a folder of its own. */
const postgres = Effect.gen(function* () {
  const cwd = yield* temporaryFolder
  const file = join(cwd, "postgres")
  yield* promise(() => symlink(process.execPath, file))
  const { pid, port } = yield* listeningProgram({ cwd, file })
  return { cwd, pid, port, name: `postgres (pid ${pid})` }
})

/** The program printed this, and the exit status says no. */
const expectNegative = (ended: Ended, stdout: string) => {
  expect(ended).toEqual({ code: 1, signal: null, stdout, stderr: "" })
  expectClean(ended)
}

/** An API whose every answer is this one. */
const stub = (body: unknown) =>
  Effect.map(
    answering("200 OK", JSON.stringify(body)),
    ({ address }) =>
      (...args: ReadonlyArray<string>) =>
        portctl(args, { env: { PORT_SERVER_ADDR: address } })
  )

/** An API that answers each path with its body, and does not know the others. */
const answeringByPath = (bodies: Readonly<Record<string, unknown>>) =>
  listener((socket) =>
    socket.once("data", (request) => {
      const found = bodies[String(request).split(" ")[1] ?? ""]
      const body = JSON.stringify(found ?? { error: "not found" })
      const head = [
        `HTTP/1.1 ${found === undefined ? "404 Not Found" : "200 OK"}`,
        "Content-Type: application/json",
        `Content-Length: ${body.length}`
      ]
      socket.end([...head, "Connection: close", "", body].join("\r\n"))
    })
  )

const ensure = (server: PortServer, path: string, port: number) =>
  call(server.port, "POST", "/v1/ensure", { app: "shop", instance: "main", path, services: [{ service: "db", port }] })

/** A time as the tables have it. */
const time = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g

describe.concurrent("check", () => {
  it.scopedLive("says who is listening on a port that is not allocated, and exits with 1", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { cwd, name, pid, port } = yield* postgres
      const check = (...args: ReadonlyArray<string>) => portctl(["check", "--port", String(port), ...args], { server })
      const line = `  ${name} is listening on it (tcp 127.0.0.1)\n`
      expectNegative(yield* check(), `port ${port} is not allocated, but ${name} is listening on it\n${line}`)
      const listener = { pid, command: "postgres", cwd, user }
      const listeners = [{ protocol: "tcp", address: "127.0.0.1", state: "listening", ...listener }]
      expectNegative(yield* check("--json"), `${JSON.stringify({ port, available: true, listener, listeners })}\n`)
      yield* allocate(server.port, { app: "myapp", service: "pg", port })
      expectNegative(yield* check(), `port ${port} is allocated to myapp/dev/pg (id=1)\n${line}`)
    })
  )

  const known = [
    [{}, "something"],
    [{ user: "root" }, "a process of user root"],
    [{ pid: 812, user: "root" }, "a process (pid 812)"],
    [{ command: "postgres" }, "postgres"],
    [{ pid: 812, command: "\u001b[31mred\n", user: "me" }, "\\u{1b}[31mred\\u{a} (pid 812)"]
  ] as const
  for (const [listener, name] of known) {
    it.scopedLive(`of a listener ${JSON.stringify(listener)} says that ${name} is listening`, () =>
      Effect.gen(function* () {
        const run = yield* stub({ port: 5432, available: true, listener })
        expectNegative(
          yield* run("check", "--port", "5432"),
          `port 5432 is not allocated, but ${name} is listening on it\n  ${name} is listening on it (tcp)\n`
        )
      })
    )
  }
})

describe.concurrent("allocate", () => {
  it.scopedLive("of a given port says on stderr who is listening on it, and allocates it all the same", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { name, port } = yield* postgres
      const run = (...args: ReadonlyArray<string>) =>
        portctl(["allocate", "--app", "a", "--instance", "b", "--service", "c", ...args], { server })
      const note = `note: ${name} is listening on port ${port}\n`
      const outputs = [
        [[], `allocated port ${port} (id=1) for a/b/c\n`],
        [["--quiet"], `${port}\n`],
        [["--json"], new RegExp(`^\\{"id":3,.*"port":${port},.*\\}\n$`)]
      ] as const
      for (const [flags, stdout] of outputs) {
        const ended = yield* run("--port", String(port), ...flags)
        expect(ended).toMatchObject({ code: 0, stderr: note })
        if (typeof stdout === "string") expect(ended.stdout).toBe(stdout)
        else expect(ended.stdout).toMatch(stdout)
        expectClean(ended)
        yield* call(server.port, "DELETE", "/v1/allocations", { app: "a" })
      }
    })
  )

  it.scopedLive("says nothing where nothing is listening, where the port was chosen, and where it was refused", () =>
    Effect.gen(function* () {
      const first = yield* freePorts(2)
      const server = yield* startServer({ args: ["--range", `${first}-${first}`] })
      const run = (...args: ReadonlyArray<string>) =>
        portctl(["allocate", "--app", "a", "--instance", "b", "--service", "c", ...args], { server })
      expectAnswer(yield* run("--port", String(first + 1)), `allocated port ${first + 1} (id=1) for a/b/c\n`)
      yield* listen("127.0.0.1", first)
      expectAnswer(yield* run(), `allocated port ${first} (id=2) for a/b/c\n`)
      expectError(yield* run("--port", String(first)), `port ${first} is already allocated to a/b/c (id=2)`)
    })
  )

  it.scopedLive("succeeds also when nobody can tell it who is listening", () =>
    Effect.gen(function* () {
      const allocation = { app: "a", instance: "b", service: "c", port: 5432, created_at: "2025-02-08T15:04:05Z" }
      const { address } = yield* answering("201 Created", JSON.stringify({ id: 1, ...allocation }))
      const args = ["allocate", "--app", "a", "--instance", "b", "--service", "c", "--port", "5432"]
      expectAnswer(
        yield* portctl(args, { env: { PORT_SERVER_ADDR: address } }),
        "allocated port 5432 (id=1) for a/b/c\n"
      )
    })
  )
})

describe.concurrent("list --live", () => {
  it.scopedLive("adds a column that tells what is listening on each port", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { cwd, name, pid, port } = yield* postgres
      const free = yield* freePorts(1)
      yield* allocate(server.port, { app: "myapp", service: "pg", port })
      const quiet = yield* allocate(server.port, { app: "other", port: free })
      const list = (...args: ReadonlyArray<string>) => portctl(["list", ...args], { server })
      const live = yield* list("--live")
      expect({ ...live, stdout: live.stdout.replace(time, "TIME") }).toEqual({
        code: 0,
        signal: null,
        stderr: "",
        stdout: [
          "ID  APP    INSTANCE  SERVICE  PORT   CREATED              LISTENING",
          `1   myapp  dev       pg       ${port}  TIME  ${name} tcp 127.0.0.1`,
          `2   other  dev       web      ${free}  TIME  -`,
          ""
        ].join("\n")
      })
      expect((yield* list()).stdout).toBe(live.stdout.replace(/ +(LISTENING|-|postgres .*)$/gm, ""))
      const json: unknown = JSON.parse((yield* list("--live", "--json")).stdout)
      expect(json).toEqual([
        expect.objectContaining({ id: 1, port, listener: { pid, command: "postgres", cwd, user } }),
        quiet
      ])
      expect((yield* list("--live", "--app", "other")).stdout).not.toContain("postgres")
      expectAnswer(yield* list("--live", "--app", "nobody"), "no allocations\n")
      expectAnswer(yield* list("--live", "--json", "--app", "nobody"), "[]\n")
    })
  )
})

describe.concurrent("scan", () => {
  it.scopedLive("lists what is on ports that are not allocated, as a table", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const one = yield* postgres
      const other = yield* postgres
      if (hasIpv6) yield* listen("::1", one.port)
      yield* allocate(server.port, { app: "myapp", port: other.port })
      const scanned = yield* portctl(["scan"], { server })
      expect(scanned).toMatchObject({ code: 0, stderr: "" })
      expectClean(scanned)
      const [heading = "", ...rows] = scanned.stdout.split("\n")
      expect(heading.split(/ +/)).toEqual(["PORT", "PROTOCOL", "ADDRESS", "STATE", "COMMAND", "PID", "USER", "FOLDER"])
      expect(rows.map((row) => row.split(/ +/))).toContainEqual([
        String(one.port),
        "tcp",
        "127.0.0.1",
        "listening",
        "postgres",
        String(one.pid),
        user,
        one.cwd
      ])
      expect(scanned.stdout).not.toMatch(new RegExp(`^${other.port} `, "m"))
      // The one that answers is not news.
      expect(scanned.stdout).not.toMatch(new RegExp(`^${server.port} `, "m"))

      const json: unknown = JSON.parse((yield* portctl(["scan", "--json"], { server })).stdout)
      const listener = { pid: one.pid, command: "postgres", cwd: one.cwd, user }
      const place = { protocol: "tcp", address: "127.0.0.1", state: "listening" }
      expect(json).toContainEqual({
        port: one.port,
        addresses: hasIpv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"],
        listener,
        listeners: [{ ...place, ...listener }, ...(hasIpv6 ? [expect.objectContaining({ address: "::1" })] : [])]
      })
      expect(json).not.toContainEqual(expect.objectContaining({ port: other.port }))
    })
  )

  it.scopedLive("gives many connections of a process one row on a terminal, and a row each elsewhere", () =>
    Effect.gen(function* () {
      const connected = (port: number, pid: number) => {
        const place = { protocol: "tcp", address: "10.0.0.1", state: "connected" }
        const process = { pid, command: "browser", cwd: "/home/me", user: "me" }
        return { port, addresses: ["10.0.0.1"], listener: process, listeners: [{ ...place, ...process }] }
      }
      const listening = [
        ...[40001, 40002, 40003, 40005].map((port) => connected(port, 7)),
        ...[40006, 40007, 40008].map((port) => connected(port, 8))
      ]
      const { address } = yield* answeringByPath({
        "/v1/listeners": listening,
        "/v1/server": {
          ...{ started_at: "2025-02-08T15:04:05Z", version: "0.1.0" },
          ...{ pid: 1, database: "/db", range: "1-2", allocations: 0 }
        }
      })
      const env = { PORT_SERVER_ADDR: address, NO_COLOR: "1" }
      expect((yield* onTerminal([bin.portctl, "scan"], { env, columns: 100 })).stdout.split("\n")).toEqual([
        "PORT              PROTOCOL  ADDRESS   STATE      COMMAND  PID  USER  FOLDER",
        "40001 and 3 more  tcp       10.0.0.1  connected  browser  7    me    /home/me",
        ...[40006, 40007, 40008].map(
          (port) => `${port}             tcp       10.0.0.1  connected  browser  8    me    /home/me`
        ),
        ""
      ])
      const piped = yield* portctl(["scan"], { env })
      expect(piped.stdout.split("\n").map((line) => line.split(" ")[0])).toEqual([
        "PORT",
        ...listening.map(({ port }) => String(port)),
        ""
      ])
    })
  )

  it.scopedLive("shows what is not known as -, and control characters escaped", () =>
    Effect.gen(function* () {
      const listening = [
        {
          port: 22,
          addresses: ["0.0.0.0", "::"],
          listener: { user: "root" },
          listeners: ["0.0.0.0", "::"].map((address) => ({
            protocol: "tcp",
            address,
            state: "listening",
            user: "root"
          }))
        },
        // As a server answers that knows one listener of each port.
        { port: 5000, addresses: [], listener: {} },
        { port: 8080, addresses: ["127.0.0.1"], listener: { pid: 7, command: "a\u001b[2Jb", cwd: "/x\ny", user: "me" } }
      ]
      const times = { started_at: "2025-02-08T15:04:05Z", version: "0.1.0" }
      const bodies = {
        "/v1/listeners": listening,
        "/v1/server": { ...times, pid: 1, database: "/db", range: "1-2", allocations: 0 }
      }
      const { address } = yield* answeringByPath(bodies)
      expectAnswer(
        yield* portctl(["scan"], { env: { PORT_SERVER_ADDR: address } }),
        [
          "PORT  PROTOCOL  ADDRESS     STATE      COMMAND      PID  USER  FOLDER",
          "22    tcp       0.0.0.0,::  listening  -            -    root  -",
          "5000  tcp       -           listening  -            -    -     -",
          "8080  tcp       -           listening  a\\u{1b}[2Jb  7    me    /x\\u{a}y",
          ""
        ].join("\n")
      )
    })
  )

  // A network of its own, in which nothing listens but what the test starts.
  const ownNetwork = ["--net", "sh", "-c"]
  const canUnshare = spawnSync("unshare", [...ownNetwork, "ip link set lo up"]).status === 0
  const name = "says so when there is nothing, for port-server itself is not news"
  const test = canUnshare ? it.scopedLive : it.scopedLive.skip
  test(canUnshare ? name : `${name} (skipped: needs root, unshare and ip)`, () =>
    Effect.gen(function* () {
      const home = yield* temporaryFolder
      const script = `
        ip link set lo up
        "$SERVER" --port 4000 --db "$HOME/ports.db" & server=$!
        until "$PORTCTL" health > /dev/null 2>&1; do :; done
        "$PORTCTL" scan; "$PORTCTL" scan --json
        kill $server; wait $server; exit 0`
      const running = yield* start("unshare", [...ownNetwork, script], {
        env: { HOME: home, SERVER: bin.portServer, PORTCTL: bin.portctl, PORT_SERVER_ADDR: "127.0.0.1:4000" }
      })
      const { code, stderr, stdout } = yield* running.ended
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(stdout.split("\n").slice(1)).toEqual(["nothing is on a port that is not allocated", "[]", ""])
    })
  )
})

describe.concurrent("why", () => {
  const why = (server: PortServer, port: number, ...args: ReadonlyArray<string>) =>
    Effect.map(portctl(["why", "--port", String(port), ...args], { server }), (ended) => {
      expect(ended).toMatchObject({ code: 0, stderr: "" })
      expectClean(ended)
      return ended.stdout.replace(time, "TIME").replace(/^what happened to it last:\n( {2}.*\n)+/m, "")
    })

  it.scopedLive("tells the holder, the listener, and whether it belongs to the allocation's project", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const folder = yield* temporaryFolder
      const [project, below, beside] = [join(folder, "shop"), join(folder, "shop/api"), join(folder, "shop-two")]
      yield* promise(() => mkdir(below, { recursive: true }))
      yield* promise(() => mkdir(beside))
      yield* promise(() => symlink(project, join(folder, "link")))
      const cases = [
        [project, project, "yes"],
        [below, project, "yes"],
        [beside, project, "no"],
        [folder, project, "no"],
        [below, join(folder, "link"), "yes"]
      ] as const
      for (const [cwd, path, belongs] of cases) {
        const { pid, port } = yield* listeningProgram({ cwd })
        yield* ensure(server, path, port)
        const [holder] = [/\(id=\d+\)/.exec(yield* why(server, port))]
        expect(yield* why(server, port)).toBe(
          [
            `port ${port} is allocated to shop/main/db ${holder?.[0]}`,
            "  since:    TIME UTC",
            `  project:  ${path}`,
            `node (pid ${pid}) is listening on it (tcp 127.0.0.1)`,
            `  user:     ${user}`,
            `  folder:   ${cwd}`,
            `belongs to the allocation's project: ${belongs}`,
            ""
          ].join("\n")
        )
        yield* call(server.port, "DELETE", "/v1/allocations", { app: "shop" })
      }
    })
  )

  it.scopedLive("does not take a listener whose folder was removed for the project's", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const project = join(yield* temporaryFolder, "shop")
      yield* promise(() => mkdir(project))
      const { port } = yield* listeningProgram({ cwd: project })
      yield* ensure(server, project, port)
      yield* promise(() => rm(project, { recursive: true }))
      expect(yield* why(server, port)).toMatch(/^belongs to the allocation's project: no$/m)
      yield* promise(() => mkdir(project))
      expect(yield* why(server, port)).toMatch(/^belongs to the allocation's project: no$/m)
    })
  )

  it.scopedLive("does not know whose it is where the allocation has no folder, or the listener's cannot be read", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { name, port } = yield* postgres
      yield* allocate(server.port, { app: "myapp", service: "pg", port })
      const text = yield* why(server, port)
      expect(text).toContain(`${name} is listening on it (tcp 127.0.0.1)\n`)
      expect(text).toContain("  project:  -\n")
      expect(text).toMatch(/^belongs to the allocation's project: unknown, for the allocation has no project folder$/m)

      const holder = { id: 1, app: "a", instance: "b", service: "c", port: 80, created_at: "2025-02-08T15:04:05Z" }
      const run = yield* stub({
        port: 80,
        available: false,
        holder: { ...holder, path: "/srv/\u001b[31m" },
        listener: {}
      })
      expectAnswer(
        yield* run("why", "--port", "80"),
        [
          "port 80 is allocated to a/b/c (id=1)",
          "  since:    2025-02-08 15:04:05 UTC",
          "  project:  /srv/\\u{1b}[31m",
          "something is listening on it (tcp)",
          "  user:     -",
          "  folder:   -",
          "belongs to the allocation's project: unknown, because the listener's folder cannot be read",
          ""
        ].join("\n")
      )
    })
  )

  it.scopedLive("shows how to allocate the port of a listener", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { cwd, name, port } = yield* postgres
      expect(yield* why(server, port)).toBe(
        [
          `port ${port} is not allocated`,
          `${name} is listening on it (tcp 127.0.0.1)`,
          `  user:     ${user}`,
          `  folder:   ${cwd}`,
          `to allocate it: portctl allocate --app APP --instance INSTANCE --service SERVICE --port ${port}`,
          ""
        ].join("\n")
      )
    })
  )

  it.scopedLive("says that nothing is listening, and prints the API's own body", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const port = yield* freePorts(1)
      expect(yield* why(server, port)).toBe(`port ${port} is not allocated\nnothing is listening on it\n`)
      expect(yield* why(server, port, "--json")).toBe(`{"port":${port},"available":true}\n`)
      const holder = yield* allocate(server.port, { app: "myapp", port })
      expect(yield* why(server, port)).toBe(
        `port ${port} is allocated to myapp/dev/web (id=1)\n  since:    TIME UTC\n  project:  -\nnothing is listening on it\n`
      )
      expect(JSON.parse((yield* portctl(["why", "--port", String(port), "--json"], { server })).stdout)).toMatchObject({
        port,
        available: false,
        holder
      })
    })
  )
})
