import { connect } from "node:net"
import { networkInterfaces } from "node:os"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, expectError, listed, Server, sharedServer } from "../../support/Api.ts"
import type { PortServer } from "../../support/Programs.ts"
import { exchange, parseAnswer, send } from "../../support/Wire.ts"

const path = "/v1/allocations"

/** Whether anything accepts a connection. */
const accepts = (host: string, port: number) =>
  Effect.async<boolean>((resume) => {
    const socket = connect({ host, port })
    socket.on("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.on("error", () => resume(Effect.succeed(false)))
  })

/** Every kind of path and method, so that a rule is seen to hold before anything else is looked at. */
const everywhere = [
  "GET /healthz",
  "HEAD /healthz",
  `GET ${path}`,
  `POST ${path}`,
  `DELETE ${path}`,
  `DELETE ${path}/1`,
  "GET /v1/ports/80",
  `OPTIONS ${path}`,
  `PUT ${path}`,
  "GET /",
  "GET /favicon.ico",
  "GET /%zz"
]

const expectRefusal = (line: string, answer: { readonly status: number; readonly json: unknown }, error: string) =>
  expect({ status: answer.status, json: answer.json }).toEqual({
    status: 403,
    json: line.startsWith("HEAD") ? undefined : { error }
  })

sharedServer()("who may talk to the server", (it) => {
  it.effect("127.0.0.1 only: no other address of the machine answers", () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
      const others = own.map(({ address }) => address).filter((address) => address !== "127.0.0.1")
      expect(yield* accepts("127.0.0.1", port)).toBe(true)
      for (const address of new Set(["::1", ...others])) expect(yield* accepts(address, port), address).toBe(false)
    })
  )

  describe("Host", () => {
    for (const host of [
      "127.0.0.1",
      "127.0.0.1:1",
      "127.0.0.1:65535",
      "localhost",
      "localhost:80",
      "LOCALHOST",
      "LocalHost:3000",
      "[::1]",
      "[::1]:8080"
    ]) {
      it.effect(`${host} is this machine`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expect((yield* send(port, `GET /healthz HTTP/1.1\nHost: ${host}`)).json).toEqual({ status: "ok" })
        })
      )
    }

    for (const host of [
      "evil.example",
      "evil.example:51234",
      "127.0.0.1.evil.example",
      "localhost.evil.example",
      "evil.example.localhost",
      "evil-localhost",
      "localhost.",
      "127.0.0.2",
      "127.1",
      "127.0.0.01",
      "2130706433",
      "0x7f000001",
      "0.0.0.0",
      "[::]",
      "[::ffff:127.0.0.1]",
      "::1",
      "10.0.0.1",
      "localhost:80:80",
      "localhost:port",
      "user@localhost",
      "localhost@evil.example",
      "localhost/evil.example",
      "localhost, evil.example",
      "evil.example localhost",
      "127.0.0.1\t.evil.example",
      "l\xf6calhost"
    ]) {
      it.effect(`${JSON.stringify(host)}: 403 forbidden host`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* send(port, `GET /healthz HTTP/1.1\nHost: ${host}`), 403, "forbidden host")
        })
      )
    }

    it.effect("that is empty: 403 forbidden host", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expectError(yield* send(port, "GET /healthz HTTP/1.1\nHost:"), 403, "forbidden host")
      })
    )

    for (const line of everywhere) {
      it.effect(`that is another: 403 forbidden host for ${line}`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const answer = yield* send(port, `${line} HTTP/1.1\nHost: evil.example`)
          expectRefusal(line, answer, "forbidden host")
        })
      )
    }

    it.effect("that is another: 403 also for an upgrade", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const head = "GET /healthz HTTP/1.1\nHost: evil.example\nConnection: Upgrade\nUpgrade: websocket"
        expectError(yield* send(port, head), 403, "forbidden host")
      })
    )

    it.effect("that is another: 403 also for HTTP/1.0", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expectError(yield* send(port, "GET /healthz HTTP/1.0\nHost: evil.example"), 403, "forbidden host")
      })
    )

    it.effect("missing in HTTP/1.1: 400", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expectError(yield* send(port, "GET /healthz HTTP/1.1"), 400, /Host/)
      })
    )

    it.effect("missing in HTTP/1.0 is allowed", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { status, json } = yield* send(port, "GET /healthz HTTP/1.0")
        expect({ status, json }).toEqual({ status: 200, json: { status: "ok" } })
      })
    )

    for (const [first, second] of [
      ["localhost", "localhost"],
      ["localhost", "evil.example"],
      ["evil.example", "localhost"]
    ]) {
      it.effect(`${first} and again ${second}: 400`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* send(port, `GET /healthz HTTP/1.1\nHost: ${first}\nHost: ${second}`), 400, /Host/)
        })
      )
    }

    it.effect("two, in HTTP/1.0: 400", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expectError(yield* send(port, "GET /healthz HTTP/1.0\nHost: localhost\nhost: localhost"), 400, /Host/)
      })
    )

    for (const header of ["X-Forwarded-Host: localhost", "Forwarded: host=localhost", "X-Forwarded-For: 127.0.0.1"]) {
      it.effect(`${header} does not make a forbidden host allowed`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const answer = yield* send(port, `GET /healthz HTTP/1.1\nHost: evil.example\n${header}`)
          expectError(answer, 403, "forbidden host")
        })
      )
    }

    for (const header of [
      "X-Forwarded-Host: evil.example",
      "Forwarded: host=evil.example;proto=https",
      "X-Forwarded-For: 8.8.8.8",
      "X-Forwarded-Proto: https"
    ]) {
      it.effect(`${header} does not make an allowed host forbidden`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expect((yield* send(port, `GET /healthz HTTP/1.1\nHost: localhost\n${header}`)).json).toEqual({
            status: "ok"
          })
        })
      )
    }
  })

  describe("the target", () => {
    for (const target of [
      "http://127.0.0.1/healthz",
      "http://localhost/healthz",
      "HTTP://evil.example/healthz",
      "https://localhost/healthz",
      "ftp://localhost/healthz"
    ]) {
      it.effect(`${target}: 400, because it is no path`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* send(port, `GET ${target} HTTP/1.1\nHost: localhost`), 400, /.+/)
        })
      )
    }

    it.effect("*: 400, because it is no path", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expectError(yield* send(port, "OPTIONS * HTTP/1.1\nHost: localhost"), 400, /.+/)
      })
    )

    it.effect("host:port of CONNECT: 400, because it is no path", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expectError(yield* send(port, "CONNECT 127.0.0.1:80 HTTP/1.1\nHost: localhost"), 400, /.+/)
      })
    )
  })

  describe("Origin", () => {
    const origins = (port: number): ReadonlyArray<string> => [
      "null",
      "https://evil.example",
      "http://evil.example",
      `http://evil.example:${port}`,
      `https://127.0.0.1:${port}`,
      "http://127.0.0.1",
      "http://127.0.0.1:1",
      `http://127.0.0.1:${port}.evil.example`,
      `http://127.0.0.1:${port}/`,
      "http://localhost:3000",
      "chrome-extension://abcdefghijklmnop",
      "file://",
      "undefined",
      ""
    ]
    for (const [index, title] of origins(51234).entries()) {
      it.effect(`${JSON.stringify(title.replace("51234", "<port>"))}: 403 forbidden origin`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const head = `GET /healthz HTTP/1.1\nHost: 127.0.0.1:${port}\nOrigin: ${origins(port)[index]}`
          expectError(yield* send(port, head), 403, "forbidden origin")
        })
      )
    }

    for (const host of ["127.0.0.1", "localhost", "[::1]"]) {
      it.effect(`of the server itself at ${host} is allowed`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const head = `GET /healthz HTTP/1.1\nHost: ${host}:${port}\nOrigin: http://${host}:${port}`
          expect((yield* send(port, head)).json).toEqual({ status: "ok" })
        })
      )
    }

    it.effect("of the server itself after another one: 403 forbidden origin", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const head = `GET /healthz HTTP/1.1\nHost: 127.0.0.1:${port}\nOrigin: http://evil.example\nOrigin: http://127.0.0.1:${port}`
        expectError(yield* send(port, head), 403, "forbidden origin")
      })
    )

    for (const origin of ["http://evil.example", "http://undefined", "http://"]) {
      it.effect(`${origin} without a Host, in HTTP/1.0: 403 forbidden origin`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* send(port, `GET /healthz HTTP/1.0\nOrigin: ${origin}`), 403, "forbidden origin")
        })
      )
    }

    for (const line of everywhere) {
      it.effect(`that is another: 403 forbidden origin for ${line}`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const answer = yield* send(port, `${line} HTTP/1.1\nHost: localhost:${port}\nOrigin: https://evil.example`)
          expectRefusal(line, answer, "forbidden origin")
        })
      )
    }
  })

  describe("Sec-Fetch-Site", () => {
    for (const site of ["cross-site", "same-site", "Cross-Site"]) {
      it.effect(`${site}: 403 forbidden origin`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const head = `GET ${path} HTTP/1.1\nHost: localhost\nSec-Fetch-Site: ${site}`
          expectError(yield* send(port, head), 403, "forbidden origin")
        })
      )
    }

    for (const site of ["none", "same-origin"]) {
      it.effect(`${site} is allowed`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expect((yield* send(port, `GET /healthz HTTP/1.1\nHost: localhost\nSec-Fetch-Site: ${site}`)).status).toBe(
            200
          )
        })
      )
    }

    it.effect("none beside another cross-site: 403 forbidden origin", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const head = "GET /healthz HTTP/1.1\nHost: localhost\nSec-Fetch-Site: none\nSec-Fetch-Site: cross-site"
        expectError(yield* send(port, head), 403, "forbidden origin")
      })
    )

    it.effect("Sec-Fetch-Mode: cors, as Node's fetch sends it, is allowed", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expect((yield* send(port, "GET /healthz HTTP/1.1\nHost: localhost\nSec-Fetch-Mode: cors")).status).toBe(200)
      })
    )
  })

  describe("a refused request", () => {
    const refusedPost = (server: PortServer, header: string, body: string) =>
      send(server.port, `POST ${path} HTTP/1.1\nHost: 127.0.0.1:${server.port}\n${header}`, body)

    for (const header of ["Origin: https://evil.example", "Sec-Fetch-Site: cross-site"]) {
      it.effect(`allocates nothing (${header})`, () =>
        Effect.gen(function* () {
          const server = yield* Server
          const body = JSON.stringify({ app: "page", instance: "dev", service: "web" })
          expectError(yield* refusedPost(server, header, body), 403, "forbidden origin")
          expect(yield* listed(server.port, "page")).toEqual([])
        })
      )
    }

    it.effect("releases nothing", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const kept = yield* allocate(port, { app: "kept-from-page" })
        const head = `DELETE ${path}/${kept.id} HTTP/1.1\nHost: localhost\nOrigin: null`
        expectError(yield* send(port, head), 403, "forbidden origin")
        expect(yield* listed(port, "kept-from-page")).toEqual([kept])
      })
    )

    for (const [title, header, sentence] of [
      ["Origin", "Host: localhost\r\nOrigin: null", "forbidden origin"],
      ["Sec-Fetch-Site", "Host: localhost\r\nSec-Fetch-Site: cross-site", "forbidden origin"],
      ["Host", "Host: evil.example", "forbidden host"]
    ] as const) {
      it.effect(`is answered before its body is read (${title})`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const received = yield* exchange(port, `POST ${path} HTTP/1.1\r\n${header}\r\nContent-Length: 1000\r\n\r\n`, {
            enough: (text) => text.includes("}")
          })
          expectError(parseAnswer(received), 403, sentence)
        })
      )
    }

    it.effect("is not told to go on with its body", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const head = `POST ${path} HTTP/1.1\nHost: localhost\nOrigin: null\nContent-Length: 10\nExpect: 100-continue`
        expectError(yield* send(port, head), 403, "forbidden origin")
      })
    )

    it.effect("takes no further request on its connection", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const inner = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        const received = yield* exchange(
          port,
          `POST ${path} HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`
        )
        expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 403"])
      })
    )

    it.effect("of a preflight gets no CORS header", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { status, headers } = yield* send(
          port,
          `OPTIONS ${path} HTTP/1.1\nHost: localhost\nOrigin: https://evil.example\nAccess-Control-Request-Method: POST\nAccess-Control-Request-Private-Network: true`
        )
        expect(status).toBe(403)
        expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([])
      })
    )
  })
})
