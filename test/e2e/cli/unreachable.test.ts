import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { expectClean, expectError, expectUnreachable } from "../../support/Expectations.ts"
import { freePorts, hasIpv6 } from "../../support/Listening.ts"
import { bin, portctl, start, temporaryFolder } from "../../support/Programs.ts"
import { answering, closedAddress, listener } from "../../support/Sockets.ts"

const unreachable = (address: string) =>
  `cannot reach port-server at ${address} (is it running? start it with: portctl start)`

const mayBeMade = "; the change may have been made, see portctl list"

const at = (address: string, ...args: ReadonlyArray<string>) => portctl(args, { env: { PORT_SERVER_ADDR: address } })

const response = (body: string) =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`

const commands = [
  ["allocate", "--app", "a", "--instance", "b", "--service", "c"],
  ["release", "--id", "1"],
  ["release", "--app", "a"],
  ["list"],
  ["check", "--port", "80"],
  ["health"]
] as const

describe.concurrent("without a port-server at the address", () => {
  for (const args of commands) {
    it.scopedLive(`${args.slice(0, 2).join(" ")}: nobody listens at the address`, () =>
      Effect.gen(function* () {
        const address = yield* closedAddress
        expectError(yield* at(address, ...args), unreachable(address))
        const json = yield* at(address, ...args, "--json")
        expect(json).toMatchObject({ code: 1, stderr: `error: ${unreachable(address)}\n` })
        expect(JSON.parse(json.stdout)).toEqual({ error: unreachable(address) })
      })
    )
  }

  for (const host of ["127.0.0.2", "[::1]"]) {
    it.scopedLive.skipIf(host === "[::1]" && !hasIpv6)(
      `no start is advised at ${host}, where none can be started`,
      () =>
        Effect.gen(function* () {
          const address = `${host}:${yield* freePorts(1)}`
          const sentence = `cannot reach port-server at ${address} (is it running?)`
          for (const args of ["list", "ensure --app a --instance b --service c"]) {
            expectUnreachable(yield* at(address, ...args.split(" ")), args, sentence)
          }
        })
    )
  }

  for (const args of [
    "export",
    "why --port 80",
    "scan",
    "prune --yes",
    "verify",
    "kill --port 80",
    "ensure",
    "get web"
  ]) {
    it.scopedLive(`${args}: nobody listens at the address, and the exit status is 69`, () =>
      Effect.gen(function* () {
        const address = yield* closedAddress
        const env = { PORT_SERVER_ADDR: address, PORTCTL_AUTOSTART: "0" }
        expectUnreachable(yield* portctl(args.split(" "), { env }), args, unreachable(address))
      })
    )
  }

  for (const [name, part] of [
    ["without an answer", ""],
    ["within the head", "HTTP/1.1 201 Created\r\nContent-Le"],
    ["within the body", "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"]
  ] as const) {
    for (const [args, doubt] of [
      ["list", ""],
      ["allocate --app a --instance b --service c", mayBeMade],
      ["release --app a", mayBeMade],
      ["release --id 1", mayBeMade]
    ] as const) {
      it.scopedLive(`${args}: the connection is closed ${name}`, () =>
        Effect.gen(function* () {
          const { address } = yield* listener((socket) => socket.once("data", () => socket.end(part)))
          const closed = `the connection to ${address} was closed before the end of the response${doubt}`
          expectError(yield* at(address, ...args.split(" ")), closed)
          expectError(
            yield* at(address, ...args.split(" "), "--json"),
            closed,
            `${JSON.stringify({ error: closed })}\n`
          )
        })
      )
    }
  }

  it.scopedLive("prune and import say that they may have changed something, and not where they only ask", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const backup = join(folder, "backup.json")
      writeFileSync(backup, JSON.stringify({ version: 1, allocations: [] }))
      const owner = { app: "a", instance: "b", service: "c", path: join(folder, "gone") }
      const gone = { ...owner, id: 1, port: 20_000, created_at: "2026-01-01T00:00:00Z" }
      const answered = Object.entries({
        "GET /v1/allocations": [gone],
        "GET /v1/listeners": [],
        '"dry_run":true': { allocations: [gone] }
      })
      for (const [args, doubt, answers] of [
        ["prune --yes", mayBeMade, 3],
        ["prune --yes", "", 2],
        ["prune --dry-run", "", 2],
        [`import ${backup}`, mayBeMade, 0],
        [`import --dry-run ${backup}`, "", 0]
      ] as const) {
        const { address } = yield* listener((socket) => {
          let request = ""
          socket.on("data", (chunk: Buffer) => {
            request += chunk.toString()
            const [, found] = answered.slice(0, answers).find(([part]) => request.includes(part)) ?? []
            if (found !== undefined) socket.end(response(JSON.stringify(found)))
            else if (!request.endsWith("\r\n\r\n") || request.startsWith("GET")) socket.destroy()
          })
        })
        const closed = `the connection to ${address} was closed before the end of the response`
        expectUnreachable(yield* at(address, ...args.split(" ")), args, `${closed}${doubt}`)
      }
    })
  )

  it.scopedLive("a server that accepts and never answers, or never ends its answer, cannot be reached", () =>
    Effect.gen(function* () {
      const silent = yield* listener()
      const endless = yield* listener((socket) =>
        socket.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[")
      )
      yield* Effect.forEach(
        [silent, endless],
        ({ address, connections }) =>
          Effect.gen(function* () {
            const [list, allocate] = yield* Effect.all([at(address, "list"), at(address, ...commands[0])], {
              concurrency: 2
            })
            expectError(list, unreachable(address))
            expectError(allocate, `${unreachable(address)}${mayBeMade}`)
            expect(connections()).toBe(2)
          }),
        { concurrency: "unbounded" }
      )
    })
  )

  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143]
  ] as const) {
    it.scopedLive(`ended by ${signal} before there is an answer: exit ${status}, and nothing on stdout`, () =>
      Effect.gen(function* () {
        const { address, connections } = yield* listener()
        const running = yield* start(bin.portctl, ["list"], { env: { PORT_SERVER_ADDR: address } })
        yield* Effect.sync(connections).pipe(
          Effect.repeat({ until: (count) => count > 0, schedule: Schedule.spaced("5 millis") })
        )
        running.process.kill(signal)
        expect(yield* running.ended).toEqual({ code: status, signal: null, stdout: "", stderr: "" })
      })
    )
  }

  const strangers: ReadonlyArray<readonly [name: string, status: string, body: string, contentType?: string]> = [
    ["a page", "200 OK", "<!doctype html><title>hi</title>", "text/html"],
    ["a page that is not found", "404 Not Found", "<!doctype html><title>no</title>", "text/html"],
    ["JSON of another shape", "200 OK", '{"status":"fine"}'],
    ["no body", "204 No Content", ""],
    ["a redirection", "302 Found", ""],
    ["a server error without a body", "502 Bad Gateway", ""]
  ]

  for (const [name, status, body, contentType] of strangers) {
    it.scopedLive(`another program's answer is told apart: ${name}`, () =>
      Effect.gen(function* () {
        const { address } = yield* answering(status, body, contentType)
        for (const command of ["list", "health"]) {
          const ended = yield* at(address, command)
          expect(ended).toMatchObject({ code: 1, stdout: "" })
          expect(ended.stderr).toMatch(/^error: .*not a port-server.*\n$/)
          expect(ended.stderr).toContain(address)
          expectClean(ended)
        }
        for (const command of ["log", "export", "ensure", "why --port 80"]) {
          expect(yield* at(address, ...command.split(" "))).toMatchObject({ code: 69, stdout: "" })
        }
      })
    )
  }

  it.scopedLive("export makes no empty backup of a program that answers anything with an empty list", () =>
    Effect.gen(function* () {
      const { address } = yield* answering("200 OK", "[]")
      const ended = yield* at(address, "export")
      expect(ended).toMatchObject({ code: 69, stdout: "" })
      expect(ended.stderr).toMatch(/^error: .*not a port-server.*\n$/)
    })
  )

  const unreadable: ReadonlyArray<readonly [name: string, begin: string, again: string]> = [
    ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n", ""],
    ["headers without an end", "HTTP/1.1 200 OK\r\n", `X: ${"x".repeat(1000)}\r\n`],
    [
      "trailers without an end",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
      `X: ${"x".repeat(1000)}\r\n`
    ],
    ["a chunk extension without an end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;", "x".repeat(1000)]
  ]

  for (const [name, begin, again] of unreadable) {
    it.scopedLive(`an answer that cannot be read is no server that cannot be reached: ${name}`, () =>
      Effect.gen(function* () {
        const { address, connections } = yield* listener((socket) =>
          socket.once("data", () => socket.end(begin + again.repeat(100)))
        )
        expectError(
          yield* at(address, "list"),
          `cannot use the response of ${address}: it is not HTTP, or its headers are too large`
        )
        expect(connections()).toBe(1)
        for (const command of ["log", "ensure"]) expect((yield* at(address, command)).code).toBe(69)
      })
    )
  }

  it.scopedLive("waits a moment for a server that is starting, and passes on what it says when that takes longer", () =>
    Effect.gen(function* () {
      const server = (isReady: (request: number) => boolean) => {
        let requests = 0
        return listener((socket) =>
          socket.once("data", () => {
            const [status, body] = isReady(++requests)
              ? ["200 OK", '{"status":"ok"}']
              : ["503 Service Unavailable", '{"error":"port-server is starting, try again"}']
            socket.end(
              `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
            )
          })
        )
      }
      const soon = yield* server((request) => request > 3)
      expect(yield* at(soon.address, "health")).toMatchObject({ code: 0, stdout: "ok\n", stderr: "" })
      expect(soon.connections()).toBe(4)
      const never = yield* server(() => false)
      expectError(yield* at(never.address, "health"), "port-server is starting, try again")
      expectError(
        yield* at(never.address, "status"),
        `the port-server at ${never.address} cannot answer right now: port-server is starting, try again`
      )
    })
  )

  it.scopedLive("passes on the sentence of a server in trouble", () =>
    Effect.gen(function* () {
      const full = yield* answering(
        "507 Insufficient Storage",
        '{"error":"the database has no room: the disk is full"}'
      )
      expectError(yield* at(full.address, ...commands[0]), "the database has no room: the disk is full")
      const broken = yield* answering("500 Internal Server Error", '{"error":"internal error"}')
      expectError(yield* at(broken.address, "list"), "internal error")
      expectError(yield* at(broken.address, "health", "--json"), "internal error", '{"error":"internal error"}\n')
    })
  )

  it.scopedLive("lets no escape sequence and no further line of a stranger through to the terminal", () =>
    Effect.gen(function* () {
      const { address } = yield* answering("500 Internal Server Error", '{"error":"\\u001b[31mred\\nerror: two"}')
      const ended = yield* at(address, "list")
      expect(ended).toMatchObject({ code: 1, stdout: "" })
      expect(ended.stderr).toMatch(/^error: .*\n$/)
      expectClean(ended)
    })
  )

  for (const address of [
    "nonsense",
    "127.0.0.1",
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "https://127.0.0.1:443",
    "a b:80"
  ]) {
    it.scopedLive(`says that PORT_SERVER_ADDR=${address} is not an address`, () =>
      Effect.gen(function* () {
        const ended = yield* at(address, "list")
        expect(ended).toMatchObject({ code: 1, stdout: "" })
        expect(ended.stderr).toMatch(/^error: .*PORT_SERVER_ADDR.*\n$/)
        expect(ended.stderr).toContain(JSON.stringify(address))
        expectClean(ended)
      })
    )
  }

  it.scopedLive("takes http:// in front of the address", () =>
    Effect.gen(function* () {
      const { address } = yield* answering("200 OK", '{"status":"ok"}')
      expect(yield* at(`http://${address}`, "health")).toMatchObject({ code: 0, stdout: "ok\n", stderr: "" })
    })
  )
})
