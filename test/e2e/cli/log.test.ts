import { userInfo } from "node:os"
import { describe, expect, it } from "@effect/vitest"
import { RegistryEvent } from "@port-server/domain/Event"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { allocate } from "../../support/Api.ts"
import { user } from "../../support/Daemon.ts"
import { expectAnswer, expectUsageError } from "../../support/Expectations.ts"
import { freePorts } from "../../support/Listening.ts"
import { bin, type PortServer, portctl, start, startServer, temporaryFolder } from "../../support/Programs.ts"
import { listener } from "../../support/Sockets.ts"
import { call, send } from "../../support/Wire.ts"

const name = userInfo().username
const time = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/gm

const decodeEvents = Schema.decodeUnknownSync(Schema.Array(Schema.Unknown))
const decode = Schema.decodeUnknownSync(Schema.parseJson(RegistryEvent))

/** The lines of `portctl log`, without their times. */
const lines = (server: PortServer, ...args: ReadonlyArray<string>) =>
  Effect.map(portctl(["log", ...args], { server }), ({ code, stderr, stdout }) => {
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout.match(time)).toHaveLength(stdout.trimEnd().split("\n").length)
    return stdout.trimEnd().replace(time, "TIME").split("\n")
  })

describe.concurrent("portctl log", () => {
  it.scopedLive("shows what happened, and what each client said about itself", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      expectAnswer(yield* portctl(["log"], { server }), "no events\n")
      const cwd = yield* temporaryFolder
      const env = { CLAUDECODE: "1", TERM_PROGRAM: "vscode" }
      yield* portctl(["allocate", "--app", "shop", "--instance", "main", "--service", "secret", "--port", "4000"], {
        server,
        cwd,
        env
      })
      yield* allocate(server.port, { app: "shop", service: "plain", port: 4001 })
      const body = JSON.stringify({ app: "shop", instance: "main", service: "other", port: 4002 })
      yield* send(
        server.port,
        'POST /v1/allocations HTTP/1.1\nHost: localhost\nPort-Server-Client: {"name":"\\u001b[31mx"}',
        body
      )
      yield* call(server.port, "DELETE", "/v1/allocations", { port: 4001 })
      expect(yield* lines(server)).toEqual([
        `TIME  allocated  4000  shop/main/secret  (says: portctl allocate, ${name}, in ${cwd}, claude)`,
        "TIME  allocated  4001  shop/dev/plain",
        String.raw`TIME  allocated  4002  shop/main/other  (says: {"name":"\u001b[31mx"})`,
        "TIME  released   4001  shop/dev/plain"
      ])
      const { stdout } = yield* portctl(["log", "--json"], { server })
      expect(JSON.parse(stdout)).toEqual((yield* call(server.port, "GET", "/v1/events")).json)
    })
  )

  it.scopedLive("shows the folders that a project moved from and to", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      for (const folder of ["/nowhere/a", "/nowhere/b"]) {
        const project = { app: "shop", instance: "main", services: [{ service: "web", port: 4000 }] }
        yield* call(server.port, "POST", "/v1/ensure", {
          ...project,
          working_copy: { folder, git_dir: "/nowhere/git" }
        })
      }
      expect(yield* lines(server)).toEqual([
        "TIME  allocated  4000  shop/main/web  /nowhere/a",
        "TIME  moved      4000  shop/main/web  /nowhere/a -> /nowhere/b"
      ])
    })
  )

  it.scopedLive("takes filters, a time and a limit, and says what is wrong with them", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      for (const service of ["a", "b", "c"]) yield* allocate(server.port, { app: "shop", service })
      yield* call(server.port, "DELETE", "/v1/allocations", { app: "shop", service: "b" })
      const services = (...args: ReadonlyArray<string>) =>
        Effect.map(lines(server, ...args), (all) => all.map((line) => line.replace(/^TIME +(\w+) .*\//, "$1 ")))
      expect(yield* services("--limit", "2")).toEqual(["allocated c", "released b"])
      expect(yield* services("--since", "1h")).toEqual(["allocated a", "allocated b", "allocated c", "released b"])
      expect(yield* services("--since", "2020-01-01", "--limit", "1")).toEqual(["released b"])
      expect(yield* services("--service", "b", "--kind", "released")).toEqual(["released b"])
      expect(yield* services("--app", "shop", "--instance", "dev", "--service", "a")).toEqual(["allocated a"])
      expectAnswer(yield* portctl(["log", "--since", "2099-01-01T00:00:00Z"], { server }), "no events\n")
      expectAnswer(yield* portctl(["log", "--port", "1"], { server }), "no events\n")
      for (const wrong of ["yesterday", "2026-02-30", "2026-02-03x", "2026-02-03T25:00:00Z"]) {
        expectUsageError(
          yield* portctl(["log", "--since", wrong], { server }),
          /since must be a duration like 30m, 1h or 2d, or a time like 2025-02-08T15:04:05Z$/,
          "portctl log"
        )
      }
    })
  )

  it.scopedLive("--since takes a time as it is printed, in UTC wherever the user is", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server.port, { app: "shop" })
      const hoursOn = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString().slice(0, 19)
      const found = (TZ: string, since: string) =>
        Effect.map(portctl(["log", "--since", since], { server, env: { TZ } }), ({ stdout }) =>
          stdout === "no events\n" ? 0 : stdout.trim().split("\n").length
        )
      // There it is still morning, or night already.
      for (const zone of ["America/New_York", "Asia/Tokyo"]) {
        const [before, after] = [hoursOn(-1), hoursOn(1)]
        expect(yield* found(zone, before.replace("T", " "))).toBe(1)
        expect(yield* found(zone, `${before}Z`)).toBe(1)
        expect(yield* found(zone, after.replace("T", " "))).toBe(0)
        expect(yield* found(zone, `${after}+02:00`)).toBe(1)
      }
    })
  )

  it.scopedLive("--since reads more than one page", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const allocations = Array.from({ length: 1_200 }, (_, index) => ({
        app: "old",
        instance: "main",
        service: `s${index}`,
        port: 20_000 + index
      }))
      yield* call(server.port, "POST", "/v1/import", { version: 1, allocations })
      expect(yield* lines(server, "--since", "1w")).toHaveLength(1_200)
      expect(yield* lines(server)).toHaveLength(50)
    })
  )

  it.scopedLive("--follow goes on, also over a restart of the server, until it is interrupted", () =>
    Effect.gen(function* () {
      const me = yield* user
      const allocated = (service: string) => me.portctl(`allocate --app shop --instance main --service ${service}`)
      yield* me.portctl("start")
      yield* allocated("before")
      const log = yield* start(bin.portctl, ["log", "--follow", "--json"], { env: me.env })
      yield* log.printed(/"service":"before"/)
      yield* allocated("a")
      yield* log.printed(/"service":"a"/)
      yield* me.portctl("stop")
      const note = `note: ${me.address} cannot be reached, waiting for it\n`
      yield* Effect.sync(() => log.output.stderr).pipe(
        Effect.delay(20),
        Effect.repeat({ until: (text) => text === note })
      )
      yield* me.portctl("start")
      yield* allocated("b")
      yield* log.printed(/"service":"b"/)
      log.process.kill("SIGINT")
      const { code, stderr, stdout } = yield* log.ended
      expect({ code, stderr }).toEqual({ code: 130, stderr: note })
      const events = stdout
        .trimEnd()
        .split("\n")
        .map((line) => decode(line))
      expect(events.map(({ allocation }) => allocation.service)).toEqual(["before", "a", "b"])
    })
  )

  for (const [name, head, chunk] of [
    ["no stream", "Content-Length: 2\r\nContent-Type: application/json", "{}"],
    ["an event without an end", "Content-Type: text/event-stream", `data: ${"x".repeat(65_536)}`]
  ] as const) {
    it.scopedLive(`--follow of ${name}: one line, exit 1`, () =>
      Effect.gen(function* () {
        const { address } = yield* listener((socket) =>
          socket.once("data", (request) => {
            if (!request.toString("latin1").startsWith("GET /v1/events/stream ")) {
              socket.end('HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{"status":"ok"}')
              return
            }
            const more = () => {
              if (name !== "no stream") while (socket.writable && socket.write(chunk));
            }
            socket.on("drain", more)
            socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${chunk}`)
            more()
          })
        )
        const ended = yield* portctl(["log", "--follow"], { env: { PORT_SERVER_ADDR: address } })
        const sentence = `what answers at ${address} is not a port-server that this program understands (status 200)`
        expect(ended).toEqual({ code: 1, signal: null, stdout: "", stderr: `error: ${sentence}\n` })
        const { stdout } = yield* portctl(["log", "--follow", "--json"], { env: { PORT_SERVER_ADDR: address } })
        expect(JSON.parse(stdout)).toEqual({ error: sentence })
      })
    )
  }

  // Less time than after which a silent stream is given up.
  it.scopedLive(
    "--follow ends at once when it is interrupted, also if the server says nothing more",
    () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        yield* allocate(server.port, { app: "shop", service: "first" })
        const [event] = decodeEvents((yield* call(server.port, "GET", "/v1/events")).json)
        const { address } = yield* listener((socket) =>
          socket.once("data", (request) => {
            const [, path = ""] = request.toString("latin1").split(" ", 2)
            const json = JSON.stringify(path === "/healthz" ? { status: "ok" } : [event])
            socket.write(
              path.startsWith("/v1/events/stream")
                ? "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 1\n\n"
                : `HTTP/1.1 200 OK\r\nContent-Length: ${json.length}\r\nConnection: close\r\n\r\n${json}`
            )
          })
        )
        const log = yield* start(bin.portctl, ["log", "--follow"], { env: { PORT_SERVER_ADDR: address } })
        yield* log.printed(/shop\/dev\/first/)
        log.process.kill("SIGINT")
        expect(yield* log.ended).toMatchObject({ code: 130, stderr: "" })
      }),
    25_000
  )

  it.scopedLive("--follow ends when nobody reads it any more", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server.port, { app: "shop", service: "first" })
      const env = { PORT_SERVER_ADDR: server.address }
      const shell = yield* start("bash", ["-c", `"$0" log --follow | head -1; echo "head is done"`, bin.portctl], {
        env
      })
      yield* shell.printed(/shop\/dev\/first/)
      yield* allocate(server.port, { app: "shop", service: "second" })
      const { stdout } = yield* shell.ended
      expect(stdout).toMatch(/^\S+ \S+ {2}allocated .*first\nhead is done\n$/)
    })
  )
})

describe("portctl why", () => {
  it.scopedLive("tells the last three events of its port, also of one that is free again", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const port = yield* freePorts(1)
      const why = Effect.map(portctl(["why", "--port", String(port)], { server }), ({ stdout }) => stdout)
      expect(yield* why).not.toContain("happened")
      for (const service of ["a", "b"]) {
        yield* allocate(server.port, { app: "shop", service, port })
        yield* call(server.port, "DELETE", "/v1/allocations", { port })
      }
      const told = (yield* why).split("\n").slice(2, -1)
      expect(told.map((line) => line.replace(/^ {2}\S+ \S+/, "TIME"))).toEqual([
        "what happened to it last:",
        `TIME  released   ${port}  shop/dev/a`,
        `TIME  allocated  ${port}  shop/dev/b`,
        `TIME  released   ${port}  shop/dev/b`
      ])
    })
  )
})
