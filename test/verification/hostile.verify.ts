import { connect } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { allocate } from "../support/Api.ts"
import { pidAt } from "../support/Daemon.ts"
import { until } from "../support/Processes.ts"
import { type PortServer, startServer } from "../support/Programs.ts"
import { call } from "../support/Wire.ts"
import { framingCases } from "./FramingCases.ts"
import { hostileCases } from "./HostileCases.ts"
import { decodeSuccess, hear, judge, residentMegabytes, statusesOf } from "./ResponseChecker.ts"
import { hostile, seed } from "./RunSize.ts"
import { openingBytes, streamCases } from "./StreamCases.ts"

const path = "/v1/allocations"

const rowsOf = (server: PortServer) =>
  Effect.map(call(server.port, "GET", path), ({ json }) => (Array.isArray(json) ? [...json] : []))

const expectHealthy = (server: PortServer) =>
  Effect.gen(function* () {
    expect((yield* call(server.port, "GET", "/healthz")).json).toEqual({ status: "ok" })
    expect(yield* pidAt(server.port)).toBe(server.pid)
    expect(server.output.stderr).toBe("")
  })

const cases = [...hostileCases, ...framingCases]

describe("hostile bytes", () => {
  it.scopedLive.each(["TCP", "the socket"])(
    `${cases.length} cases by %s: each answered as it should be or closed, nothing changed unasked`,
    (way) =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const kept = [yield* allocate(server.port, { app: "kept" }), yield* allocate(server.port, { app: "kept" })]
        expect(kept[0]?.id).toBe(1)
        const wrong: Array<string> = []
        const acknowledged: Array<unknown> = []
        yield* Effect.forEach(
          cases,
          ({ title, bytes, outcome, heads, leave }) =>
            Effect.gen(function* () {
              const heard = yield* hear(way === "TCP" ? server.port : `${server.database}.sock`, bytes, { leave })
              try {
                const answers = judge(heard, new Set(heads))
                const statuses = statusesOf(answers)
                // By the socket, no Host is forbidden.
                const isExpected = outcome.test(statuses) || (way !== "TCP" && /403/.test(outcome.source))
                if (!isExpected) wrong.push(`${title}: [${statuses}] is not ${outcome}`)
                if (heard.end === "waiting")
                  wrong.push(`${title}: neither answered to its end nor closed [${statuses}]`)
                acknowledged.push(
                  ...answers
                    .filter(({ status }) => status === 201)
                    .map(({ json }) => decodeSuccess("POST /v1/allocations", json))
                )
              } catch (error) {
                wrong.push(`${title}: ${error instanceof Error ? error.message : String(error)}`)
              }
              expect(yield* pidAt(server.port), title).toBe(server.pid)
            }),
          { concurrency: 60 }
        )
        yield* expectHealthy(server)
        const order = (rows: ReadonlyArray<unknown>) => rows.map((row) => JSON.stringify(row)).sort()
        expect.soft(wrong, wrong.join("\n")).toEqual([])
        // An allocation whose client went away with "then the end" may have been made unheard.
        const rows = (yield* rowsOf(server)).filter((row) => !JSON.stringify(row).includes('"pipe end"'))
        expect(order(rows)).toEqual(
          order([...kept, ...acknowledged].filter((row) => !JSON.stringify(row).includes('"pipe end"')))
        )
      })
  )
})

const characters = FastCheck.oneof(
  FastCheck.string({ unit: "binary", maxLength: 40 }),
  FastCheck.string({ unit: "grapheme", maxLength: 40 }),
  FastCheck.constantFrom(
    "",
    " ",
    "\0",
    "\u202e",
    "\ud800",
    "a\udc00",
    "__proto__",
    "constructor",
    "'; DROP TABLE allocations; --",
    "\u001b[2J",
    "\ufeff",
    "%00",
    "../..",
    "x".repeat(256),
    "x".repeat(5_000)
  )
)

const values: FastCheck.Arbitrary<unknown> = FastCheck.oneof(
  characters,
  FastCheck.double(),
  FastCheck.integer(),
  FastCheck.integer({ min: 0, max: 65_535 }),
  FastCheck.constantFrom(null, true, 0, -0, 65_536, [], {}),
  FastCheck.jsonValue({ maxDepth: 4 })
)

const fields = FastCheck.constantFrom(
  "app",
  "instance",
  "service",
  "port",
  "id",
  "__proto__",
  "constructor",
  "toString"
)

/** An object as text, where keys may come twice and be anything. */
const objects = FastCheck.array(FastCheck.tuple(FastCheck.oneof(fields, characters), values), { maxLength: 7 }).map(
  (pairs) => `{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value) ?? "null"}`).join(",")}}`
)

const mostly = <A>(usual: A, other: FastCheck.Arbitrary<A>) =>
  FastCheck.oneof({ weight: 8, arbitrary: FastCheck.constant(usual) }, { weight: 1, arbitrary: other })

const likely = FastCheck.record({
  app: mostly("fuzz", characters),
  instance: mostly("i", characters),
  service: mostly("s", characters),
  port: FastCheck.oneof(
    { weight: 3, arbitrary: FastCheck.integer({ min: -2, max: 65_540 }) },
    { weight: 1, arbitrary: FastCheck.double() }
  )
}).map((body) => JSON.stringify(body))

const raw = FastCheck.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString("latin1"))

const bodies = FastCheck.oneof(
  { weight: 4, arbitrary: likely },
  { weight: 4, arbitrary: objects },
  { weight: 1, arbitrary: raw },
  { weight: 1, arbitrary: FastCheck.json({ maxDepth: 6 }) },
  { weight: 1, arbitrary: FastCheck.integer({ min: 0, max: 70_000 }).map((length) => "[".repeat(length)) }
).map((text) => Buffer.from(text, "utf8").toString("latin1"))

const cut = FastCheck.tuple(bodies, FastCheck.nat({ max: 40 })).map(([body, less]) => body.slice(0, -less || undefined))

const methods = FastCheck.oneof(
  { weight: 6, arbitrary: FastCheck.constantFrom("GET", "POST", "DELETE") },
  { weight: 2, arbitrary: FastCheck.constantFrom("PUT", "OPTIONS", "PATCH", "TRACE", "QUERY", "PURGE", "get", "") },
  { weight: 1, arbitrary: FastCheck.string({ unit: "binary-ascii", maxLength: 12 }).filter((text) => text !== "HEAD") }
)

const encoded = FastCheck.oneof(
  characters.map((text) => encodeURIComponent(Buffer.from(text, "utf8").toString("utf8"))),
  raw,
  FastCheck.constantFrom("%", "%zz", "%ff", "+", "&", "=", "#", "%2f", "1e9", "0", "65536", "999999999")
)

// Ids are far above those that exist: nothing but a filter can release, and only what the fuzzer made.
const targets = FastCheck.oneof(
  { weight: 4, arbitrary: FastCheck.constant(path) },
  {
    weight: 1,
    arbitrary: FastCheck.constantFrom("/healthz", "/", "*", "http://localhost/healthz", "//x", "localhost:1")
  },
  { weight: 2, arbitrary: encoded.map((text) => `${path}/9000000${text}`) },
  { weight: 2, arbitrary: encoded.map((text) => `/v1/ports/${text}`) },
  {
    weight: 3,
    arbitrary: FastCheck.tuple(fields, encoded).map(([name, value]) => `${path}?${name}=${value}`)
  },
  { weight: 1, arbitrary: encoded.map((text) => `/${text}`) }
)

const headerLines = FastCheck.array(
  FastCheck.oneof(
    FastCheck.constantFrom(
      "Content-Type: text/plain",
      "Content-Type: multipart/form-data",
      "Origin: null",
      "Sec-Fetch-Site: cross-site",
      "Expect: 100-continue",
      "Expect: x",
      "Transfer-Encoding: chunked",
      "Transfer-Encoding: xchunked",
      "Content-Length: 5",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Connection: keep-alive",
      "Host: evil.example",
      "X-A : b",
      " folded",
      "Cookie: a=b",
      `X-Long: ${"a".repeat(8_000)}`
    ),
    FastCheck.tuple(FastCheck.string({ maxLength: 12 }), raw).map(([name, value]) => `${name}: ${value}`)
  ),
  { maxLength: 2 }
)

const framing = FastCheck.constantFrom("length", "length", "length", "length", "chunked", "none", "wrong", "broken")

const requests = FastCheck.record({
  method: methods,
  target: targets,
  version: FastCheck.oneof(
    { weight: 12, arbitrary: FastCheck.constant("HTTP/1.1") },
    { weight: 1, arbitrary: FastCheck.constantFrom("HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "RTSP/1.0", "") }
  ),
  host: FastCheck.oneof(
    { weight: 12, arbitrary: FastCheck.constant("Host: localhost") },
    { weight: 1, arbitrary: FastCheck.constantFrom("Host: evil.example", "X: y", "Host: [::1]:80", "host : localhost") }
  ),
  headers: headerLines,
  body: FastCheck.oneof({ weight: 4, arbitrary: bodies }, { weight: 1, arbitrary: cut }),
  framing
}).map(({ body, framing, headers, host, method, target, version }) => {
  const announced =
    framing === "length"
      ? [`Content-Length: ${body.length}`]
      : framing === "wrong"
        ? [`Content-Length: ${body.length + 3}`]
        : framing === "chunked"
          ? ["Transfer-Encoding: chunked"]
          : []
  const content =
    framing === "none"
      ? ""
      : framing === "broken"
        ? `Z\r\n${body}`
        : framing === "chunked"
          ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
          : body
  const head = [`${method} ${target} ${version}`, host, ...announced, ...headers, "Connection: close"]
  return `${head.join("\r\n")}\r\n\r\n${content}`
})

/** Requests that may well be right, so that what lies behind the guard is reached. */
const sensible = FastCheck.tuple(
  FastCheck.constantFrom("POST", "POST", "DELETE"),
  FastCheck.oneof({ weight: 3, arbitrary: likely }, { weight: 1, arbitrary: objects })
).map(([method, body]) => {
  const content = Buffer.from(body, "utf8")
  const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`
  return `${head}Content-Length: ${content.length}\r\n\r\n${content.toString("latin1")}`
})

/** Broken framing on a route that there is, whether it has a body or not. */
const broken = FastCheck.constantFrom(
  ...framingCases.filter(({ heads, leave }) => leave === undefined && heads?.length === 0).map(({ bytes }) => bytes)
)

const streams = FastCheck.oneof(
  { weight: 6, arbitrary: sensible },
  { weight: 2, arbitrary: broken },
  { weight: 12, arbitrary: requests },
  {
    weight: 2,
    arbitrary: FastCheck.tuple(requests, requests).map(
      ([one, other]) => one.replaceAll("Connection: close", "X: y") + other
    )
  },
  {
    weight: 1,
    arbitrary: FastCheck.tuple(requests, FastCheck.nat({ max: 500 })).map(([text, end]) => text.slice(0, end))
  },
  { weight: 1, arbitrary: raw }
)

/** What a client does after its bytes. */
const leaving = FastCheck.oneof(
  { weight: 8, arbitrary: FastCheck.constant(undefined) },
  { weight: 1, arbitrary: FastCheck.constantFrom("end" as const, "reset" as const) }
)

const clients = FastCheck.record({ bytes: streams, leave: leaving })

describe("a fuzzer", () => {
  it.scopedLive("finds no bytes that get a 500, a malformed answer, memory, or a change that nobody asked for", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const kept = [yield* allocate(server.port, { app: "kept" }), yield* allocate(server.port, { app: "kept" })]
      const outcomes = new Map<string, number>()
      const seen = (what: string) => outcomes.set(what, (outcomes.get(what) ?? 0) + 1)

      const one = ({ bytes, leave }: { readonly bytes: string; readonly leave: "end" | "reset" | undefined }) =>
        Effect.map(hear(server.port, bytes, { patience: 400, leave }), (heard) => {
          try {
            const answers = judge(heard)
            seen(answers.length === 0 ? heard.end : statusesOf(answers.slice(-1)))
          } catch (error) {
            // Half an answer of a connection that the client gave up is the client's doing.
            throw new Error(`${JSON.stringify(bytes)} got ${JSON.stringify(heard)}`, { cause: error })
          }
        })

      const rounds = (from: number, numRuns: number) =>
        Effect.promise(() =>
          FastCheck.assert(
            FastCheck.asyncProperty(
              FastCheck.array(clients, { minLength: hostile.width, maxLength: hostile.width }),
              (batch) =>
                Effect.forEach(batch, one, { concurrency: "unbounded", discard: true }).pipe(
                  Effect.zipRight(pidAt(server.port)),
                  // The fuzzer has found something when another process responds, or none.
                  Effect.tap((pid) => expect(pid).toBe(server.pid)),
                  Effect.asVoid,
                  Effect.runPromise
                )
            ),
            { seed: from, numRuns, endOnFailure: true }
          )
        )

      const before = residentMegabytes(server.pid)
      yield* rounds(seed, hostile.warmUpRounds)
      yield* rounds(seed + 1, hostile.rounds)
      const during = residentMegabytes(server.pid)
      // V8 gives memory back once little is asked; what a leak has stays.
      yield* until(() => residentMegabytes(server.pid) < before + 40).pipe(Effect.timeoutOption("30 seconds"))
      const after = residentMegabytes(server.pid)
      const total = (hostile.warmUpRounds + hostile.rounds) * hostile.width
      console.log(`fuzzer: seed ${seed}, ${total} streams, RSS ${before} MB → ${during} MB, then ${after} MB`)
      console.log(`fuzzer: last statuses ${JSON.stringify(Object.fromEntries([...outcomes].sort()))}`)
      expect(after).toBeLessThan(before + 40)
      // The fuzzer reaches the inside, not only the guard.
      expect(outcomes.get("201") ?? 0).toBeGreaterThan(5)
      yield* expectHealthy(server)
      const rows = yield* rowsOf(server)
      expect(rows.slice(0, 2)).toEqual(kept)
    })
  )
})

/** A connection that sends one byte a second, over and over, until the server closes it; what it got. */
const slow = (port: number, first: string, byte: string) =>
  Effect.async<string>((resume) => {
    const socket = connect({ port, host: "127.0.0.1" })
    let received = ""
    socket.write(first)
    const timer = setInterval(() => socket.write(byte), 1_000)
    socket.setEncoding("latin1").on("data", (text: string) => {
      received += text
    })
    socket.on("error", () => {})
    socket.on("close", () => {
      clearInterval(timer)
      resume(Effect.succeed(received))
    })
    return Effect.sync(() => {
      clearInterval(timer)
      socket.destroy()
    })
  })

const slowly: ReadonlyArray<readonly [title: string, first: string, byte: string, outcome: RegExp]> = [
  ["in their headers", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ", "a", /^(408)?$/],
  ["in their request line", "G", "E", /^(400|408)?$/],
  ["in many headers", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n", "a: b\r\n", /^(408)?$/],
  [
    "in their bodies",
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n{"app":"slow`,
    "a",
    /^(408)?$/
  ],
  [
    "in their chunks",
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`,
    "1\r\na\r\n",
    /^(408)?$/
  ],
  [
    "in a chunk extension",
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;`,
    "a",
    /^(408)?$/
  ],
  [
    "in a body that nobody reads",
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n",
    "a",
    /^200( 408)?$/
  ],
  [
    "in a body that was refused",
    "POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n",
    "a",
    /^404( 408)?$/
  ],
  ["in empty lines before a request", "\r\n", "\r\n", /^(400|408)?$/],
  ["in empty lines after a request", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "\r\n", /^200( 400| 408)?$/]
]

describe("200 clients that send a byte a second", () => {
  it.scopedLive("keep no honest client from its answer, and are closed in the end", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const open = new Map<string, number>()
      const wrong: Array<string> = []
      const clients = Array.from({ length: hostile.slowConnections }, (_, index) => slowly[index % slowly.length])
      const all = yield* Effect.fork(
        Effect.forEach(
          clients,
          (client) =>
            Effect.gen(function* () {
              if (client === undefined) return
              const [title, first, byte, outcome] = client
              open.set(title, (open.get(title) ?? 0) + 1)
              const bytes = yield* slow(server.port, first, byte)
              open.set(title, (open.get(title) ?? 0) - 1)
              const statuses = statusesOf(judge({ bytes, end: "closed" }))
              if (!outcome.test(statuses)) wrong.push(`${title}: [${statuses}]`)
            }),
          { concurrency: "unbounded", discard: true }
        ).pipe(Effect.timeoutOption("30 seconds"))
      )
      const taken: Array<number> = []
      for (let round = 0; round < 60; round++) {
        const began = performance.now()
        yield* allocate(server.port, { app: "honest" })
        expect((yield* call(server.port, "GET", "/v1/ports/3000")).status).toBe(200)
        taken.push((performance.now() - began) / 2)
        yield* Effect.sleep("100 millis")
      }
      yield* all.await
      const median = taken.sort((one, other) => one - other)[Math.trunc(taken.length / 2)] ?? 0
      console.log(`${clients.length} slow clients: honest request median ${median.toFixed(1)} ms (wanted: below 100)`)
      const left = [...open].filter(([, count]) => count > 0).map(([title, count]) => `${title}: ${count}`)
      expect(left, "still open after 30 s").toEqual([])
      expect(wrong).toEqual([])
      expect(yield* rowsOf(server)).toHaveLength(60)
      yield* expectHealthy(server)
    })
  )
})

/** A client of the event stream: what has come so far, and whether the server has closed it. */
const follower = (port: number, bytes: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
      const state = { socket, received: "", isClosed: false }
      socket.setEncoding("latin1").on("data", (text: string) => {
        state.received += text
      })
      socket
        .on("error", () => {})
        .on("close", () => {
          state.isClosed = true
        })
      socket.on("end", () => {
        state.isClosed = true
      })
      socket.write(Buffer.from(bytes, "latin1"))
      return state
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

const statusOf = (port: number) =>
  Effect.gen(function* () {
    const client = yield* follower(port, openingBytes)
    yield* until(() => client.isClosed || client.received.includes("\n\n") || client.received.includes("}"))
    return /^HTTP\/1\.1 (\d+)/.exec(client.received)?.[1] ?? ""
  })

describe("the event stream", () => {
  it.scopedLive(
    `${streamCases.length} hostile clients: others are answered by the same process, and no stream is left`,
    () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        for (let count = 0; count < 20; count++) yield* allocate(server.port, { app: "before" })
        yield* Effect.scoped(
          Effect.gen(function* () {
            for (const { bytes, leave, outcome, title } of streamCases) {
              const client = yield* follower(server.port, bytes)
              yield* until(() => outcome.test(client.received) || client.isClosed)
              expect(client.received, title).toMatch(outcome)
              if (leave === "reset") client.socket.resetAndDestroy()
              else if (leave === "end") client.socket.end()
              else client.socket.pause()
              yield* allocate(server.port, { app: title.replaceAll("\\", "/") })
              expect(yield* pidAt(server.port), title).toBe(server.pid)
            }
            yield* expectHealthy(server)
          })
        )
        // Every place is free again, and there are no more than those.
        yield* Effect.scoped(
          Effect.gen(function* () {
            for (let count = 0; count < 128; count++) {
              expect(yield* Effect.repeat(statusOf(server.port), { until: (found) => found === "200" })).toBe("200")
            }
            expect(yield* statusOf(server.port)).toBe("503")
            yield* expectHealthy(server)
          })
        )
        expect(yield* Effect.repeat(Effect.scoped(statusOf(server.port)), { until: (found) => found === "200" })).toBe(
          "200"
        )
        yield* expectHealthy(server)
      })
  )
})
