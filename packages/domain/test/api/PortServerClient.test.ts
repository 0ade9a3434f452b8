import { createServer, type RequestListener, type ServerResponse } from "node:http"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { describe, expect, it } from "@effect/vitest"
import { AllocationId } from "@port-server/domain/Allocation"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { Port } from "@port-server/domain/Port"
import { AddressFromText } from "@port-server/domain/ServerAddress"
import * as Clock from "effect/Clock"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { allocate } from "../../../../test/support/Api.ts"
import { startServer } from "../../../../test/support/Programs.ts"

const id = Schema.decodeSync(AllocationId)
const portOf = Schema.decodeSync(Port)
const owner = { app: "myapp", instance: "dev", service: "web" }

/** A server that answers everything in one way; its port. */
const stub = (listener: RequestListener) =>
  Effect.acquireRelease(
    Effect.async<{ readonly port: number; readonly close: () => void }>((resume) => {
      const server = createServer(listener)
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(
          Effect.succeed({
            port,
            close: () => {
              server.closeAllConnections()
              server.close()
            }
          })
        )
      })
    }),
    ({ close }) => Effect.sync(close)
  )

const answering = (status: number, body: string, type = "application/json") =>
  Effect.map(
    stub((_, response) => response.writeHead(status, { "Content-Type": type }).end(body)),
    ({ port }) => port
  )

const clientOf = (port: number) =>
  PortServerClient.pipe(
    Effect.provide(
      PortServerClient.at(Schema.decodeSync(AddressFromText)(`127.0.0.1:${port}`)).pipe(
        Layer.provide(FetchHttpClient.layer)
      )
    )
  )

const part = (last: boolean) => ({ version: 1 as const, allocations: [], transaction: { id: "a", part: 0, last } })

const calls: ReadonlyArray<
  readonly [name: string, call: (client: PortServerClient) => Effect.Effect<unknown, { readonly _tag: string }>]
> = [
  ["health", (client) => client.health()],
  ["allocate", (client) => client.allocate(owner)],
  ["list", (client) => client.list()],
  ["check", (client) => client.check(portOf(80))],
  ["release", (client) => client.release(id(1))],
  ["releaseMatching", (client) => client.releaseMatching({ app: "a" })],
  ["ensure", (client) => client.ensure({ app: "a", instance: "b", services: [{ service: "web" }] })],
  [
    "ensure, dry",
    (client) => client.ensure({ app: "a", instance: "b", services: [{ service: "web" }], dry_run: true })
  ],
  [
    "ensure of nothing",
    (client) => client.ensure({ app: "a", instance: "b", services: [], working_copy: { folder: "/x" } })
  ],
  ["prune", (client) => client.prune({})],
  ["prune, dry", (client) => client.prune({ dry_run: true })],
  ["import", (client) => client.import({ version: 1, allocations: [] })],
  ["import, dry", (client) => client.import({ version: 1, allocations: [], dry_run: true })],
  ["import of a part", (client) => client.import(part(false))],
  ["import of the last part", (client) => client.import(part(true))]
]

/** The calls that change something. */
const changing = new Set([
  "allocate",
  "release",
  "releaseMatching",
  "ensure",
  "prune",
  "import",
  "import of the last part"
])

describe("what answers is no port-server", () => {
  const strangers: ReadonlyArray<readonly [title: string, status: number, body: string, type?: string]> = [
    ["an HTML page with 200", 200, "<!doctype html><h1>It works!</h1>", "text/html"],
    ["an HTML page with 404", 404, "<!doctype html><h1>Not Found</h1>", "text/html"],
    ["an HTML page with 502", 502, "<html>Bad Gateway</html>", "text/html"],
    ["no body with 200", 200, ""],
    ["no body with 500", 500, ""],
    ["JSON of another shape", 200, '{"hello":"world"}'],
    ["JSON null", 200, "null"],
    ["JSON that is cut off", 200, '{"status":'],
    ["an error of another shape", 400, '{"message":"no"}'],
    ["an error that is no sentence", 400, '{"error":{"code":1}}'],
    ["a 409 of another shape", 409, '{"error":"conflict","holder":{"name":"x"}}'],
    ["a teapot", 418, "short and stout", "text/plain"],
    ["302 to nowhere", 302, ""],
    ["204", 204, ""]
  ]
  for (const [title, status, body, type] of strangers) {
    for (const [name, call] of calls) {
      it.scopedLive(`${title}: ${name} fails with UnexpectedResponse and the status`, () =>
        Effect.gen(function* () {
          const client = yield* clientOf(yield* answering(status, body, type))
          const error = yield* Effect.flip(call(client))
          const mayHaveChanged = changing.has(name) && (status < 300 || status >= 500)
          expect(error).toMatchObject({ _tag: "UnexpectedResponse", status, mayHaveChanged })
          if (!title.startsWith("a 409")) expect(error).toMatchObject({ isForeign: true })
          expect(String(Reflect.get(error, "message"))).toMatch(/^.{5,300}$/)
        })
      )
    }
  }

  for (const [status, sentence] of [
    [403, "forbidden host"],
    [404, "not found"],
    [405, "method not allowed"],
    [413, "the body is larger than 65536 bytes"],
    [426, "no upgrade"],
    [500, "internal error"]
  ] as const) {
    it.scopedLive(`${status} with a sentence that the API does not declare is passed on as UnexpectedResponse`, () =>
      Effect.gen(function* () {
        const client = yield* clientOf(yield* answering(status, JSON.stringify({ error: sentence })))
        expect(yield* Effect.flip(client.list())).toMatchObject({
          _tag: "UnexpectedResponse",
          status,
          message: sentence
        })
      })
    )
  }

  it.scopedLive("a sentence of a megabyte is cut", () =>
    Effect.gen(function* () {
      const client = yield* clientOf(yield* answering(500, JSON.stringify({ error: "x".repeat(1_000_000) })))
      expect((yield* Effect.flip(client.health())).message.length).toBeLessThanOrEqual(300)
    })
  )
})

describe("nothing answers", () => {
  for (const [name, call] of calls) {
    it.scopedLive(`connection refused: ${name} fails with ServerUnreachable and the address`, () =>
      Effect.gen(function* () {
        // A port that was free a moment ago and that nothing listens on.
        const { port } = yield* Effect.scoped(stub(() => {}))
        const error = yield* Effect.flip(call(yield* clientOf(port)))
        expect(error).toMatchObject({
          _tag: "ServerUnreachable",
          message: `cannot reach port-server at 127.0.0.1:${port}`,
          mayHaveChanged: false
        })
      })
    )

    it.scoped(`no answer in 10 s: ${name} fails with ServerUnreachable, and not before`, () =>
      Effect.gen(function* () {
        const arrived = yield* Deferred.make<void>()
        const { port } = yield* stub(() => Effect.runSync(Deferred.succeed(arrived, undefined)))
        const fiber = yield* Effect.fork(Effect.flip(call(yield* clientOf(port))))
        yield* Deferred.await(arrived)
        yield* TestClock.adjust("9999 millis")
        expect(fiber.unsafePoll()).toBeNull()
        yield* TestClock.adjust("1 millis")
        expect(yield* Fiber.join(fiber)).toMatchObject({
          _tag: "ServerUnreachable",
          mayHaveChanged: changing.has(name),
          isCutOff: false
        })
      })
    )
  }

  it.scoped("an answer whose body never ends fails with ServerUnreachable after 10 s", () =>
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const { port } = yield* stub((_, response) => {
        response.writeHead(200, { "Content-Type": "application/json" }).write("[")
        Effect.runSync(Deferred.succeed(arrived, undefined))
      })
      const fiber = yield* Effect.fork(Effect.flip((yield* clientOf(port)).list()))
      yield* Deferred.await(arrived)
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "ServerUnreachable" })
    })
  )

  for (const [part, cut] of [
    ["before", (response) => response.destroy()],
    ["within", (response) => response.writeHead(201, { "Content-Length": 100 }).write("{", () => response.destroy())]
  ] as const satisfies ReadonlyArray<readonly [string, (response: ServerResponse) => unknown]>) {
    for (const [name, call] of calls) {
      it.scopedLive(
        `a connection that is cut ${part} the response: ${name} says so, and whether something changed`,
        () =>
          Effect.gen(function* () {
            const { port } = yield* stub((_, response) => cut(response))
            expect(yield* Effect.flip(call(yield* clientOf(port)))).toMatchObject({
              _tag: "ServerUnreachable",
              message: `the connection to 127.0.0.1:${port} was closed before the end of the response`,
              mayHaveChanged: changing.has(name)
            })
          })
      )
    }
  }
})

describe("each declared error", () => {
  const holder = { ...owner, id: 3, port: 80, created_at: "2025-02-08T14:00:00Z" }
  for (const [status, body, expected] of [
    [400, { error: "invalid port" }, { _tag: "InvalidRequest", message: "invalid port" }],
    [409, { error: "port already allocated", holder }, { _tag: "PortTaken", holder }],
    [409, { error: "no free ports in range 1-2" }, { _tag: "RangeExhausted", message: "no free ports in range 1-2" }],
    [503, { error: "the database is locked" }, { _tag: "StorageUnavailable", message: "the database is locked" }],
    [
      503,
      { error: "too many open files", unavailable: "listeners" },
      { _tag: "ListenersUnavailable", message: "too many open files" }
    ],
    [507, { error: "the disk is full" }, { _tag: "StorageFull", message: "the disk is full" }]
  ] as const) {
    it.scopedLive(`${status} ${JSON.stringify(body)} is ${expected._tag}`, () =>
      Effect.gen(function* () {
        const client = yield* clientOf(yield* answering(status, JSON.stringify(body)))
        expect(yield* Effect.flip(client.allocate(owner))).toMatchObject(expected)
      })
    )
  }

  it.scopedLive("404 is AllocationNotFound", () =>
    Effect.gen(function* () {
      const client = yield* clientOf(yield* answering(404, '{"error":"allocation not found"}'))
      expect(yield* Effect.flip(client.release(id(1)))).toMatchObject({ _tag: "AllocationNotFound" })
    })
  )
})

describe("a server that is starting", () => {
  const live = Clock.make()
  /** A clock whose wall time is set by that much whenever it is read; what it waits is right. */
  const settable = (step: number): Clock.Clock => {
    let now = Date.now()
    const read = () => {
      now += step
      return now
    }
    return {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: read,
      unsafeCurrentTimeNanos: () => BigInt(read()) * 1_000_000n,
      currentTimeMillis: Effect.sync(read),
      currentTimeNanos: Effect.sync(() => BigInt(read()) * 1_000_000n),
      sleep: (duration) => live.sleep(duration)
    }
  }

  for (const [title, step] of [
    ["back", -3_600_000],
    ["forth", 3_600_000]
  ] as const) {
    it.scopedLive(`is asked again for as long, when the wall clock is set ${title} meanwhile`, () =>
      Effect.gen(function* () {
        let requests = 0
        const { port } = yield* stub((_, response) => {
          requests++
          response
            .writeHead(503, { "Content-Type": "application/json" })
            .end('{"error":"port-server is starting, try again"}')
        })
        const client = yield* clientOf(port)
        const error = yield* Effect.flip(client.list()).pipe(Effect.withClock(settable(step)))
        expect(error).toMatchObject({ _tag: "StorageUnavailable" })
        expect(requests).toBe(102)
      })
    )
  }
})

describe("before anything is sent", () => {
  for (const [title, call] of [
    ["a blank name", (client: PortServerClient) => client.allocate({ ...owner, app: " " })],
    ["a port out of range", (client: PortServerClient) => client.allocate({ ...owner, port: 65_536 })],
    ["a control character", (client: PortServerClient) => client.allocate({ ...owner, app: "a\u001b" })],
    ["a selector of everything", (client: PortServerClient) => client.releaseMatching({})],
    ["a lone surrogate in a filter", (client: PortServerClient) => client.list({ app: "\ud800" })]
  ] as const) {
    it.scopedLive(`${title} fails with InvalidRequest`, () =>
      Effect.gen(function* () {
        const requests: Array<string> = []
        const { port } = yield* stub((request, response) => {
          requests.push(request.url ?? "")
          response.writeHead(500).end()
        })
        const error = yield* Effect.flip<unknown, unknown, never>(call(yield* clientOf(port)))
        expect(error).toMatchObject({ _tag: "InvalidRequest" })
        expect(requests).toEqual([])
      })
    )
  }
})

describe("against the real server", () => {
  it.scopedLive("does all that the API can", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const client = yield* clientOf(port)
      expect(yield* client.health()).toEqual({ status: "ok" })
      const first = yield* client.allocate({ ...owner, port: 80 })
      expect(first).toMatchObject({ ...owner, id: 1, port: 80 })
      expect(yield* client.list()).toEqual([first])
      expect(yield* client.check(portOf(80))).toEqual({ port: 80, available: false, holder: first })
      expect(yield* Effect.flip(client.allocate({ ...owner, port: 80 }))).toMatchObject({
        _tag: "PortTaken",
        holder: first
      })
      expect(yield* client.release(first.id)).toEqual({ status: "deleted" })
      expect(yield* Effect.flip(client.release(first.id))).toMatchObject({ _tag: "AllocationNotFound" })
      yield* client.allocate(owner)
      expect(yield* client.releaseMatching({ app: "myapp" })).toEqual({ deleted: 1 })
      expect(yield* client.check(portOf(80))).toEqual({ port: 80, available: true })
    })
  )

  it.scopedLive("sends the values of filters intact", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const client = yield* clientOf(port)
      for (const app of ["a&b=c/ü%", "a b+c", "%20", "#?;:@", "🐢", "=", "'\"\\"]) {
        const allocation = yield* allocate(port, { app })
        expect((yield* client.list({ app })).map(({ id }) => id)).toEqual([allocation.id])
        expect((yield* client.list({ app, port: allocation.port })).map(({ id }) => id)).toEqual([allocation.id])
        expect(yield* client.releaseMatching({ app })).toEqual({ deleted: 1 })
      }
    })
  )

  it.scopedLive("lists everything for empty filters", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const { id } = yield* allocate(port, { app: "app" })
      const client = yield* clientOf(port)
      expect((yield* client.list({ app: "", instance: "", service: "", port: 0 })).map((row) => row.id)).toEqual([id])
    })
  )
})

describe("PORT_SERVER_ADDR", () => {
  const addressWith = (value?: string) =>
    Effect.map(PortServerClient, ({ address }) => address.toString()).pipe(
      Effect.provide(PortServerClient.Default.pipe(Layer.provide(FetchHttpClient.layer))),
      Effect.withConfigProvider(
        ConfigProvider.fromMap(new Map(value === undefined ? [] : [["PORT_SERVER_ADDR", value]]))
      )
    )

  for (const [title, value, expected] of [
    ["not set", undefined, "127.0.0.1:51234"],
    ["empty", "", "127.0.0.1:51234"],
    ["set", "localhost:80", "localhost:80"],
    ["set with http://", "http://[::1]:8080", "[::1]:8080"]
  ] as const) {
    it.effect(`${title}: ${expected}`, () =>
      Effect.gen(function* () {
        expect(yield* addressWith(value)).toBe(expected)
      })
    )
  }

  it.effect("set to what is no address fails and shows it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(addressWith("nonsense"))
      expect(String(error)).toContain("nonsense")
    })
  )
})
