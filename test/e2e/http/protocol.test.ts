import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, created, expectError, Server, sharedServer } from "../../support/Api.ts"
import { type Answer, call, exchange, parseAnswer, send } from "../../support/Wire.ts"

const path = "/v1/allocations"

const methods: ReadonlyArray<readonly [path: string, allow: ReadonlyArray<string>]> = [
  ["/healthz", ["GET", "HEAD", "OPTIONS"]],
  [path, ["DELETE", "GET", "HEAD", "OPTIONS", "POST"]],
  [`${path}/1`, ["DELETE", "OPTIONS"]],
  ["/v1/ports/80", ["GET", "HEAD", "OPTIONS"]],
  ["/docs", ["GET", "HEAD", "OPTIONS"]],
  ["/openapi.json", ["GET", "HEAD", "OPTIONS"]],
  ["/portctl.schema.json", ["GET", "HEAD", "OPTIONS"]],
  ["/", ["GET", "HEAD", "OPTIONS"]]
]

const allowOf = (answer: Answer) => answer.headers["allow"]?.split(/\s*,\s*/).sort()

const raw = (port: number, bytes: string) => Effect.map(exchange(port, Buffer.from(bytes, "latin1")), parseAnswer)

const without = (headers: Answer["headers"], ...names: ReadonlyArray<string>) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)))

sharedServer()("HTTP", (it) => {
  describe("an unknown path: 404 not found", () => {
    for (const target of [
      "/index.html",
      "/dashboard",
      "/dashboard.html",
      "/favicon.ico",
      "/healthz/",
      "/Healthz",
      "//healthz",
      "/healthz/x",
      "/%68ealthz",
      "/v1",
      "/v1/",
      "/v2/allocations",
      "/V1/allocations",
      "/v1/Allocations",
      "/v1/allocations/",
      "//v1/allocations",
      "/v1//allocations",
      "/v1/./allocations",
      "/v1/x/../allocations",
      "/v1/allocations;a=b",
      "/v1/allocation%73",
      "/v1%2Fallocations",
      "/v1/allocations/1/",
      "/v1/allocations/1/2",
      "/v1/allocations//1",
      "/v1/ports",
      "/v1/ports/",
      "/v1/ports/80/",
      "/v1/ports/80/x",
      "/v1/PORTS/80",
      "/docs/",
      "/docs/swagger-ui.map",
      "/docs/../docs",
      "/docs.html",
      "/openapi",
      "/openapi-json",
      "/OpenAPI.json",
      "/openapi.json/x",
      "/portctl.schema",
      "/__proto__",
      "/constructor"
    ]) {
      it.effect(target, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* send(port, `GET ${target} HTTP/1.1\nHost: localhost`), 404, "not found")
        })
      )
    }

    for (const method of ["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      it.effect(`with ${method}`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const answer = yield* send(port, `${method} /nothing HTTP/1.1\nHost: localhost`)
          expect({ status: answer.status, json: answer.json }).toEqual({
            status: 404,
            json: method === "HEAD" ? undefined : { error: "not found" }
          })
        })
      )
    }
  })

  for (const target of ["/%", "/%zz", "/healthz%", "/v1/ports/%ff", "/v1/ports/%zz", `${path}/%E0%A4`, `${path}?a=%`]) {
    it.effect(`a target with bad percent-encoding, ${target}: 400`, () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expectError(yield* send(port, `GET ${target} HTTP/1.1\nHost: localhost`), 400, /.+/)
      })
    )
  }

  for (const [target, allow] of methods) {
    describe(target, () => {
      const wrong = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "QUERY"].filter(
        (method) => !allow.includes(method)
      )
      for (const method of wrong) {
        it.effect(`${method}: 405 with Allow`, () =>
          Effect.gen(function* () {
            const { port } = yield* Server
            const answer = yield* send(port, `${method} ${target} HTTP/1.1\nHost: localhost`)
            expectError(answer, 405, "method not allowed")
            expect(allowOf(answer)).toEqual(allow)
          })
        )
      }

      it.effect("OPTIONS: 204 with Allow and no body", () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const answer = yield* send(port, `OPTIONS ${target} HTTP/1.1\nHost: localhost`)
          expect({ status: answer.status, body: answer.body, allow: allowOf(answer) }).toEqual({
            status: 204,
            body: "",
            allow
          })
        })
      )
    })
  }

  it.effect("HEAD of a path that has no GET: 405 with Allow and no body", () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      const answer = yield* send(port, `HEAD ${path}/1 HTTP/1.1\nHost: localhost`)
      expect({ status: answer.status, body: answer.body, allow: allowOf(answer) }).toEqual({
        status: 405,
        body: "",
        allow: ["DELETE", "OPTIONS"]
      })
    })
  )

  describe("HEAD answers as GET without a body", () => {
    for (const target of [
      "/healthz",
      path,
      `${path}?app=head`,
      `${path}?port=abc`,
      `${path}?app=%zz`,
      "/v1/ports/22000",
      "/v1/ports/22001",
      "/v1/ports/0",
      "/nothing"
    ]) {
      it.effect(target, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          yield* call(port, "POST", path, { app: "head", instance: "dev", service: "web", port: 22000 })
          const get = yield* send(port, `GET ${target} HTTP/1.1\nHost: localhost`)
          const head = yield* send(port, `HEAD ${target} HTTP/1.1\nHost: localhost`)
          expect(head.body).toBe("")
          expect(head.status).toBe(get.status)
          expect(without(head.headers, "date")).toEqual(without(get.headers, "date"))
        })
      )
    }

    it.effect("and the connection goes on to serve the next request", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const received = yield* exchange(
          port,
          `HEAD ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n` +
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        const [, first = "", second = ""] = received.split("HTTP/1.1 200 OK")
        expect(first.endsWith("\r\n\r\n")).toBe(true)
        expect(second).toContain('"ok"')
      })
    )
  })

  describe("an upgrade: 426", () => {
    for (const [protocol, extra] of [
      ["websocket", "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
      ["h2c", "\r\nHTTP2-Settings: AAMAAABkAAQAAP__"],
      ["TLS/1.3", ""]
    ] as const) {
      for (const target of ["/healthz", path, "/nothing"]) {
        it.effect(`${protocol} at ${target}`, () =>
          Effect.gen(function* () {
            const { port } = yield* Server
            const bytes = `GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: ${protocol}${extra}\r\n\r\n`
            expectError(yield* raw(port, bytes), 426, /.+/)
          })
        )
      }
    }

    it.effect("of a POST allocates nothing", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const body = JSON.stringify({ app: "upgraded", instance: "dev", service: "web" })
        const head = `POST ${path} HTTP/1.1\nHost: localhost\nConnection: Upgrade\nUpgrade: h2c`
        expectError(yield* send(port, head, body), 426, /.+/)
        expect((yield* call(port, "GET", `${path}?app=upgraded`)).json).toEqual([])
      })
    )
  })

  describe("what is not HTTP gets 400 in JSON", () => {
    const tail = "Host: localhost\r\nConnection: close\r\n"
    for (const [title, bytes] of [
      ["garbage", "hello\r\n\r\n"],
      ["a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
      ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
      ["an unknown method", `BREW /healthz HTTP/1.1\r\n${tail}\r\n`],
      ["another version", `GET /healthz HTTP/3.0\r\n${tail}\r\n`],
      ["a space in the target", `GET /a b HTTP/1.1\r\n${tail}\r\n`],
      ["a header without a colon", `GET /healthz HTTP/1.1\r\n${tail}Nonsense\r\n\r\n`],
      ["a space before a colon", `GET /healthz HTTP/1.1\r\n${tail}X-A : b\r\n\r\n`],
      ["NUL in a header", `GET /healthz HTTP/1.1\r\n${tail}X-A: a\x00b\r\n\r\n`],
      ["a Content-Length that is no number", `POST ${path} HTTP/1.1\r\n${tail}Content-Length: abc\r\n\r\n`],
      ["a negative Content-Length", `POST ${path} HTTP/1.1\r\n${tail}Content-Length: -1\r\n\r\n`],
      ["two Content-Lengths", `POST ${path} HTTP/1.1\r\n${tail}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} `],
      [
        "Content-Length beside Transfer-Encoding",
        `POST ${path} HTTP/1.1\r\n${tail}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`
      ],
      [
        "a chunk size that is no number",
        `POST ${path} HTTP/1.1\r\n${tail}Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n`
      ]
    ] as const) {
      it.effect(title, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const answer = yield* raw(port, bytes)
          expectError(answer, 400, /.+/)
          expect(answer.headers).toMatchObject({ "content-type": "application/json", connection: "close" })
        })
      )
    }

    for (const [title, bytes] of [
      ["headers that are too large", `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ${"a".repeat(20_000)}\r\n\r\n`],
      ["a target that is too long", `GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`]
    ] as const) {
      it.effect(`431 for ${title}`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* raw(port, bytes), 431, /.+/)
        })
      )
    }

    it.effect("and the server goes on to serve others", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        yield* raw(port, "hello\r\n\r\n")
        expect((yield* call(port, "GET", "/healthz")).json).toEqual({ status: "ok" })
      })
    )
  })

  describe("headers of", () => {
    const host = "HTTP/1.1\nHost: localhost"
    const request = (app: string, port?: number) => JSON.stringify({ app, instance: "dev", service: "web", port })
    const kinds: ReadonlyArray<readonly [title: string, status: number, head: string, body?: string]> = [
      ["health", 200, `GET /healthz ${host}`],
      ["a list", 200, `GET ${path} ${host}`],
      ["a check", 200, `GET /v1/ports/80 ${host}`],
      ["a HEAD", 200, `HEAD /healthz ${host}`],
      ["an allocation", 201, `POST ${path} ${host}`, request("headers")],
      ["a conflict", 409, `POST ${path} ${host}`, request("headers", 22100)],
      ["a release by filter", 200, `DELETE ${path} ${host}`, '{"app":"headers"}'],
      ["a bad request", 400, `POST ${path} ${host}`, "{}"],
      ["a body that is no JSON", 400, `POST ${path} ${host}`, "{"],
      ["a bad port", 400, `GET /v1/ports/0 ${host}`],
      ["a bad id", 400, `DELETE ${path}/0 ${host}`],
      ["an id that is not there", 404, `DELETE ${path}/99999999 ${host}`],
      ["an unknown path", 404, `GET /nothing ${host}`],
      ["a wrong method", 405, `PUT ${path} ${host}`],
      ["a body too large", 413, `POST ${path} ${host}\nContent-Length: 65537`],
      ["a forbidden host", 403, "GET /healthz HTTP/1.1\nHost: evil.example"],
      ["a forbidden origin", 403, `GET /healthz ${host}\nOrigin: https://evil.example`],
      ["a missing host", 400, "GET /healthz HTTP/1.1"],
      ["a target that is no path", 400, `GET http://localhost/ ${host}`],
      ["a bad percent-encoding", 400, `GET /%zz ${host}`],
      ["an upgrade", 426, `GET /healthz ${host}\nConnection: Upgrade\nUpgrade: websocket`],
      ["an OPTIONS", 204, `OPTIONS ${path} ${host}`],
      ["an unknown transfer encoding", 501, `POST ${path} ${host}\nTransfer-Encoding: gzip, chunked`],
      ["what is not HTTP", 400, "hello"],
      ["headers too large", 431, `GET /healthz ${host}\nX-A: ${"a".repeat(20_000)}`]
    ]
    for (const [title, status, head, body = ""] of kinds) {
      it.effect(title, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          yield* call(port, "POST", path, { app: "taken", instance: "dev", service: "web", port: 22100 })
          const answer = yield* send(port, head, body)
          expect(answer.status).toBe(status)
          expect(answer.headers).toMatchObject({
            ...(status === 204 ? {} : { "content-type": "application/json" }),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff"
          })
          expect(Object.keys(answer.headers).filter((name) => /^(access-control-|x-powered-by$)/.test(name))).toEqual(
            []
          )
        })
      )
    }

    it.effect("every answer to a page of the server's own: still no CORS header", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { status, headers } = yield* send(
          port,
          `OPTIONS ${path} HTTP/1.1\nHost: localhost:${port}\nOrigin: http://localhost:${port}\nAccess-Control-Request-Method: POST`
        )
        expect(status).toBe(204)
        expect(Object.keys(headers).filter((name) => name.startsWith("access-control-"))).toEqual([])
      })
    )
  })

  describe("a connection", () => {
    it.effect("serves several requests in their order", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const one = (app: string) => {
          const body = JSON.stringify({ app, instance: "pipelined", service: "web" })
          return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`
        }
        const received = yield* exchange(
          port,
          `${one("first")}${one("second")}GET ${path}?instance=pipelined HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`
        )
        expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 201", "HTTP/1.1 201", "HTTP/1.1 200"])
        expect(received.match(/"app":"\w+"/g)?.slice(0, 2)).toEqual(['"app":"first"', '"app":"second"'])
      })
    )

    it.effect("whose client closes its half gets the responses to its requests, and its end", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const body = JSON.stringify({ app: "half-closed", instance: "dev", service: "web" })
        const allocation = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`
        const list = `GET ${path}?app=half-closed HTTP/1.1\r\nHost: localhost\r\n\r\n`
        const last = { isLast: true }
        expect(created(parseAnswer(yield* exchange(port, allocation, last))).app).toBe("half-closed")
        const received = yield* exchange(port, `${list}${allocation}${list}`, last)
        expect(received.match(/HTTP\/1\.1 \d+|"id":/g)).toEqual([
          ...["HTTP/1.1 200", '"id":'],
          ...["HTTP/1.1 201", '"id":'],
          ...["HTTP/1.1 200", '"id":', '"id":']
        ])
      })
    )

    it.effect("does not take the body of a GET for another request", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const kept = yield* allocate(port, { app: "get-with-body" })
        const inner = `DELETE ${path}/${kept.id} HTTP/1.1\r\nHost: localhost\r\n\r\n`
        yield* send(port, "GET /healthz HTTP/1.1\nHost: localhost", inner)
        expect((yield* call(port, "GET", `${path}?app=get-with-body`)).json).toEqual([kept])
      })
    )

    it.effect("of HTTP/1.0 gets its answer and its end", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const body = JSON.stringify({ app: "old", instance: "dev", service: "web" })
        const answer = yield* raw(port, `POST ${path} HTTP/1.0\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
        expect(created(answer).app).toBe("old")
      })
    )
  })
})
