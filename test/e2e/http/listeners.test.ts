import { spawnSync } from "node:child_process"
import { chown } from "node:fs/promises"
import { userInfo } from "node:os"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, created, expectError } from "../../support/Api.ts"
import { freePorts, hasIpv6, hosts, listen, listeningProgram } from "../../support/Listening.ts"
import { bin, start, startServer, temporaryFolder } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

const owner = { app: "myapp", instance: "dev", service: "web" }
const user = userInfo().username

/** The one socket that a process listens with on a port of 127.0.0.1. */
const onLoopback = { protocol: "tcp", address: "127.0.0.1", state: "listening" }

const assign = (port: number) => call(port, "POST", "/v1/allocations", owner)
const check = (server: number, port: number) => Effect.map(call(server, "GET", `/v1/ports/${port}`), ({ json }) => json)

/** A server that hands out so many ports, which nobody listens on. */
const serverOf = (count: number, options: Parameters<typeof startServer>[0] = { probe: true }) =>
  Effect.gen(function* () {
    const first = yield* freePorts(count)
    const server = yield* startServer({ ...options, args: ["--range", `${first}-${first + count - 1}`] })
    return { first, server }
  })

describe("auto-assignment on a machine where something listens", () => {
  for (const host of hosts) {
    it.scopedLive(`skips a port that something listens on at ${host}, until it does no more`, () =>
      Effect.gen(function* () {
        const { first, server } = yield* serverOf(3)
        const { close } = yield* listen(host, first)
        expect(created(yield* assign(server.port)).port).toBe(first + 1)
        yield* close
        expect(created(yield* assign(server.port)).port).toBe(first)
      })
    )
  }

  it.scopedLive("takes a range whose free ports are all listened on for exhausted", () =>
    Effect.gen(function* () {
      const { first, server } = yield* serverOf(2)
      yield* listen("127.0.0.1", first)
      yield* listen("0.0.0.0", first + 1)
      expectError(yield* assign(server.port), 409, `no free ports in range ${first}-${first + 1}`)
    })
  )

  it.scopedLive("grants a port that is asked for all the same", () =>
    Effect.gen(function* () {
      const { first, server } = yield* serverOf(1)
      yield* listen("127.0.0.1", first)
      expect((yield* allocate(server.port, { app: "asks", port: first })).port).toBe(first)
    })
  )

  it.scopedLive("with --no-probe, hands out a port while something listens on it", () =>
    Effect.gen(function* () {
      const { first, server } = yield* serverOf(2, { probe: false })
      yield* listen("127.0.0.1", first)
      expect(created(yield* assign(server.port)).port).toBe(first)
      // What is asked about is told all the same.
      expect(yield* check(server.port, first)).toMatchObject({ available: false, listener: { pid: process.pid } })
    })
  )

  it.scopedLive("gives 64 concurrent requests 64 different ports, and none that something listens on", () =>
    Effect.gen(function* () {
      const { first, server } = yield* serverOf(80)
      const busy = [0, 1, 7, 30, 31, 32, 33, 63, 64, 79].map((index) => first + index)
      yield* Effect.forEach(busy, (port, index) => listen(hosts[index % hosts.length] ?? "127.0.0.1", port))
      const answers = yield* Effect.all(
        Array.from({ length: 64 }, () => assign(server.port)),
        { concurrency: "unbounded" }
      )
      const expected = Array.from({ length: 80 }, (_, index) => first + index).filter((port) => !busy.includes(port))
      expect(answers.map((answer) => created(answer).port).sort((one, other) => one - other)).toEqual(
        expected.slice(0, 64)
      )
    })
  )

  it.scopedLive("a port that is preferred falls back where something listens on it, and only there", () =>
    Effect.gen(function* () {
      const { first, server } = yield* serverOf(4)
      const { close } = yield* listen("0.0.0.0", first + 2)
      const ensure = (instance: string) =>
        Effect.map(
          call(server.port, "POST", "/v1/ensure", {
            app: "shop",
            instance,
            services: [{ service: "web", prefer: first + 2 }]
          }),
          ({ json }) => json
        )
      expect(yield* ensure("one")).toMatchObject({ allocations: [{ port: first }] })
      yield* close
      expect(yield* ensure("two")).toMatchObject({ allocations: [{ port: first + 2 }] })
      // What it has got stays its own, also while it is in use.
      yield* listen("127.0.0.1", first + 2)
      expect(yield* ensure("two")).toMatchObject({ allocations: [{ port: first + 2 }] })
    })
  )
})

describe("GET /v1/ports/{port}", () => {
  it.scopedLive("tells who listens, and says nothing of it when nobody does", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const cwd = yield* temporaryFolder
      const { pid, port } = yield* listeningProgram({ cwd })
      const listener = { pid, command: "node", cwd, user }
      const listeners = [{ ...onLoopback, ...listener }]
      expect(yield* check(server.port, port)).toEqual({ port, available: true, listener, listeners })
      const holder = yield* allocate(server.port, { app: "myapp", port })
      expect(yield* check(server.port, port)).toEqual({ port, available: false, holder, listener, listeners })
      const free = yield* freePorts(1)
      expect((yield* call(server.port, "GET", `/v1/ports/${free}`)).body).toBe(`{"port":${free},"available":true}`)
    })
  )

  for (const host of hosts) {
    it.scopedLive(`tells at once that something began or ceased to listen on ${host}`, () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const port = yield* freePorts(1)
        for (let round = 0; round < 20; round++) {
          const { close } = yield* listen(host, port)
          expect(yield* check(server.port, port)).toMatchObject({ listener: { pid: process.pid } })
          yield* close
          expect(yield* check(server.port, port)).toEqual({ port, available: true })
        }
      })
    )
  }

  it.scopedLive("tells port-server itself on its own port", () =>
    Effect.gen(function* () {
      const { pid, port } = yield* startServer()
      expect(yield* check(port, port)).toMatchObject({ available: true, listener: { pid, user } })
    })
  )

  it.scopedLive("answers 200 that ask at the same time, each truly", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { port } = yield* listen("127.0.0.1")
      const free = yield* freePorts(1)
      const answers = yield* Effect.all(
        Array.from({ length: 200 }, (_, index) => check(server.port, index % 2 === 0 ? port : free)),
        { concurrency: "unbounded" }
      )
      for (const [index, answer] of answers.entries()) {
        if (index % 2 === 0) expect(answer).toMatchObject({ port, listener: { pid: process.pid } })
        else expect(answer).toEqual({ port: free, available: true })
      }
    })
  )

  // A process may not look into one that may do more, be it of the same user; and not into another user's.
  const lesser = [
    ["of more rights", ["--bounding-set=-sys_ptrace"]],
    ["of another user", ["--reuid=65534", "--regid=65534", "--clear-groups"]]
  ] as const
  for (const [whose, rights] of lesser) {
    const canDrop =
      process.getuid?.() === 0 && spawnSync("setpriv", [...rights, bin.portServer, "--version"]).status === 0
    const name = `tells a listener ${whose} without what it may not read`
    const test = canDrop ? it.scopedLive : it.scopedLive.skip
    test(canDrop ? name : `${name} (skipped: needs root and setpriv)`, () =>
      Effect.gen(function* () {
        const home = yield* temporaryFolder
        if (whose === "of another user") yield* Effect.promise(() => chown(home, 65534, 65534))
        const first = yield* freePorts(2)
        const args = ["--port", "0", "--db", `${home}/ports.db`, "--range", `${first}-${first + 1}`]
        const running = yield* start("setpriv", [...rights, bin.portServer, ...args], { env: { HOME: home } })
        const [, digits] = yield* running.printed(/listening on http:\/\/127\.0\.0\.1:(\d+), /)
        yield* listen("127.0.0.1", first)
        expect(yield* check(Number(digits), first)).toEqual({
          port: first,
          available: true,
          listener: { user },
          listeners: [{ ...onLoopback, user }]
        })
        expect(created(yield* assign(Number(digits))).port).toBe(first + 1)
      })
    )
  }
})

describe("GET /v1/listeners", () => {
  it.scopedLive("tells every port that something listens on, its addresses, who it is and who holds it", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const cwd = yield* temporaryFolder
      const first = yield* freePorts(2)
      const one = yield* listeningProgram({ cwd, port: first })
      const other = yield* listeningProgram({ cwd, port: first + 1 })
      if (hasIpv6) yield* listen("::1", first + 1)
      const holder = yield* allocate(server.port, { app: "myapp", port: first })
      const { json, status } = yield* call(server.port, "GET", "/v1/listeners")
      expect(status).toBe(200)
      expect(json).toEqual(
        expect.arrayContaining([
          {
            port: first,
            addresses: ["127.0.0.1"],
            listener: { pid: one.pid, command: "node", cwd, user },
            listeners: [{ ...onLoopback, pid: one.pid, command: "node", cwd, user }],
            holder
          },
          {
            port: first + 1,
            addresses: hasIpv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"],
            listener: { pid: other.pid, command: "node", cwd, user },
            listeners: [
              { ...onLoopback, pid: other.pid, command: "node", cwd, user },
              ...(hasIpv6 ? [expect.objectContaining({ ...onLoopback, address: "::1", pid: process.pid })] : [])
            ]
          },
          expect.objectContaining({ port: server.port, addresses: ["127.0.0.1"] })
        ])
      )
      const ports = Array.isArray(json) ? json.map(({ port }) => Number(port)) : []
      expect(ports).toEqual([...new Set(ports)].sort((one, other) => one - other))
    })
  )

  it.scopedLive("tells of some ports alone, and whether their processes belong to the project in a folder", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const [project, other] = [yield* temporaryFolder, yield* temporaryFolder]
      const first = yield* freePorts(3)
      yield* listeningProgram({ cwd: project, port: first })
      yield* listeningProgram({ cwd: other, port: first + 1 })
      yield* call(server.port, "POST", "/v1/ensure", {
        app: "shop",
        instance: "other",
        path: other,
        services: [{ service: "web", port: first + 2 }]
      })
      const query = `ports=${first + 2},${first + 1},${first}`
      const listeners = (path: string) =>
        Effect.map(
          call(server.port, "GET", `/v1/listeners?${query}&path=${encodeURIComponent(path)}`),
          ({ json }) => json
        )
      const belonging = (port: number, socket: object) =>
        expect.objectContaining({ port, listeners: [expect.objectContaining({ ...onLoopback, ...socket })] })
      const owner = { app: "shop", instance: "other", folder: other }
      expect(yield* listeners(project)).toEqual([
        belonging(first + 1, { belongs: "no", project: owner }),
        belonging(first, { belongs: "yes" })
      ])
      expect(yield* listeners(other)).toEqual([
        belonging(first + 1, { belongs: "yes" }),
        belonging(first, { belongs: "no" })
      ])
      for (const [query, sentence] of [
        ["ports=", "ports must be at most 256 ports like 3000,3001"],
        ["ports=1,x", "ports must be at most 256 ports like 3000,3001"],
        ["path=here", "path must be the absolute path of a folder"],
        ["port=3000", 'unknown field "port"']
      ] as const) {
        expectError(yield* call(server.port, "GET", `/v1/listeners?${query}`), 400, sentence)
      }
    })
  )
})
