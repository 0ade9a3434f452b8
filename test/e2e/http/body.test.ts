import { connect } from "node:net"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { created, expectError, listed, Server, sharedServer } from "../../support/Api.ts"
import { call, exchange, parseAnswer, send } from "../../support/Wire.ts"

const path = "/v1/allocations"
const post = `POST ${path} HTTP/1.1\nHost: localhost`
const request = (app: string) => JSON.stringify({ app, instance: "dev", service: "web" })

/** A JSON object of that many bytes: a request for `app`, and spaces. */
const padded = (app: string, bytes: number) => request(app).padEnd(bytes, " ")

const chunked = (body: string, size: number) => {
  const chunks = body.match(new RegExp(`[^]{1,${size}}`, "g")) ?? []
  return `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("")}0\r\n\r\n`
}

/** Objects in objects, `depth` of them. */
const objects = (depth: number) => `${'{"a":'.repeat(depth - 1)}{}${"}".repeat(depth - 1)}`

/** Arrays in the outermost object, `depth` levels in all. */
const arrays = (depth: number) => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`

sharedServer()("the body of a request", (it) => {
  describe("is read as JSON whatever its Content-Type says", () => {
    for (const [title, header] of [
      ["none", ""],
      ["application/json", "\nContent-Type: application/json"],
      ["application/json with a charset", "\nContent-Type: application/json; charset=utf-8"],
      ["a form, as curl -d sends it", "\nContent-Type: application/x-www-form-urlencoded"],
      ["a multipart form", "\nContent-Type: multipart/form-data; boundary=x"],
      ["text/plain", "\nContent-Type: text/plain"],
      ["text/plain that mentions JSON", "\nContent-Type: text/plain; application/json"],
      ["octet-stream", "\nContent-Type: application/octet-stream"],
      ["an empty one", "\nContent-Type:"],
      ["one that is no media type", "\nContent-Type: ;;;"],
      ["two of them", "\nContent-Type: text/html\nContent-Type: application/json"]
    ] as const) {
      it.effect(`POST with ${title}`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const app = `type ${title}`
          expect(created(yield* send(port, `${post}${header}`, request(app)))).toMatchObject({ app })
        })
      )

      it.effect(`DELETE with ${title}`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const app = `delete type ${title}`
          yield* call(port, "POST", path, request(app))
          const head = `DELETE ${path} HTTP/1.1\nHost: localhost${header}`
          expect((yield* send(port, head, JSON.stringify({ app }))).json).toEqual({ deleted: 1 })
        })
      )
    }
  })

  describe("may be", () => {
    it.effect("surrounded by white space", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expect(created(yield* call(port, "POST", path, `\r\n\t ${request("white")} \n`)).app).toBe("white")
      })
    )

    it.effect("UTF-8 that is not ASCII", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expect(created(yield* send(port, post, request("żółw 🐢"))).app).toBe("żółw 🐢")
      })
    )

    it.effect("written with escapes", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const body = '{"\\u0061pp":"\\ud83d\\udc22","instance":"dev","service":"web"}'
        expect(created(yield* call(port, "POST", path, body)).app).toBe("🐢")
      })
    )

    it.effect("chunked, cut anywhere, also inside a character", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const bytes = Buffer.from(request("🐢🐢"), "utf8").toString("latin1")
        const body = Buffer.from(chunked(bytes, 1), "latin1")
        expect(created(yield* send(port, `${post}\nTransfer-Encoding: chunked`, body)).app).toBe("🐢🐢")
      })
    )

    it.effect("announced with Expect: 100-continue", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const body = request("continue")
        const received = yield* exchange(
          port,
          `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n${body}`
        )
        expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 100", "HTTP/1.1 201"])
        expect(yield* listed(port, "continue")).toEqual([expect.objectContaining({ app: "continue" })])
      })
    )
  })

  describe("gets 400 invalid JSON when it is", () => {
    const cases: ReadonlyArray<readonly [title: string, body: string | Uint8Array]> = [
      ["empty", ""],
      ["white space", " \n"],
      ["cut off", '{"app":"a"'],
      ["a word", "hello"],
      ["a form", "app=a&instance=b&service=c"],
      ["in single quotes", "{'app':'a'}"],
      ["with a trailing comma", '{"app":"a",}'],
      ["with a comment", '{"app":"a"} // comment'],
      ["followed by more data", `${request("trailing")}x`],
      ["followed by another object", `${request("trailing")}${request("trailing")}`],
      ["followed by NUL", `${request("trailing")}\u0000`],
      ["with a raw control character in a string", '{"app":"a\nb","instance":"dev","service":"web"}'],
      ["with NaN", '{"app":"a","instance":"b","service":"c","port":NaN}'],
      ["an array", "[]"],
      ["an array of a request", `[${request("array")}]`],
      ["null", "null"],
      ["true", "true"],
      ["a number", "5432"],
      ["a string", '"app"'],
      ["invalid UTF-8", Buffer.from('{"app":"\xff","instance":"dev","service":"web"}', "latin1")],
      ["Latin-1", Buffer.from('{"app":"caf\xe9","instance":"dev","service":"web"}', "latin1")],
      ["UTF-8 of a surrogate", Buffer.from('{"app":"\xed\xa0\x80","instance":"dev","service":"web"}', "latin1")],
      ["overlong UTF-8", Buffer.from('{"app":"\xc0\xaf","instance":"dev","service":"web"}', "latin1")],
      ["UTF-16", Buffer.from(`\ufeff${request("utf16")}`, "utf16le")],
      ["33 objects deep", objects(33)],
      ["33 levels deep in arrays", arrays(33)],
      ["thousands of levels deep in arrays", arrays(30_000)],
      ["thousands of levels deep in objects", objects(10_000)]
    ]
    for (const method of ["POST", "DELETE"]) {
      for (const [title, body] of cases) {
        it.effect(`${method}: ${title}`, () =>
          Effect.gen(function* () {
            const { port } = yield* Server
            const answer = yield* send(port, `${method} ${path} HTTP/1.1\nHost: localhost`, body)
            expectError(answer, 400, "invalid JSON")
          })
        )
      }
    }

    for (const [title, body] of [
      ["32 objects deep", objects(32)],
      ["32 levels deep in arrays", arrays(32)]
    ] as const) {
      it.effect(`but not when it is ${title}`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* call(port, "DELETE", path, body), 400, /unknown field.*"a"/)
        })
      )
    }

    it.effect("and the connection goes on to serve the next request", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const received = yield* exchange(
          port,
          `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n{` +
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 400", "HTTP/1.1 200"])
      })
    )
  })

  describe("is at most 64 KiB", () => {
    it.effect("65536 bytes with Content-Length are read", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expect(created(yield* send(port, post, padded("largest", 65_536))).app).toBe("largest")
      })
    )

    it.effect("65536 bytes in chunks are read", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const body = chunked(padded("largest chunked", 65_536), 4096)
        expect(created(yield* send(port, `${post}\nTransfer-Encoding: chunked`, body)).app).toBe("largest chunked")
      })
    )

    for (const method of ["POST", "DELETE"]) {
      const head = `${method} ${path} HTTP/1.1\nHost: localhost`

      it.effect(`${method} of 65537 bytes with Content-Length: 413`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* send(port, head, padded("too large", 65_537)), 413, /65536|64 KiB/)
          expect(yield* listed(port, "too large")).toEqual([])
        })
      )

      it.effect(`${method} of 65537 bytes in chunks: 413`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          const body = chunked(padded("too large", 65_537), 1000)
          expectError(yield* send(port, `${head}\nTransfer-Encoding: chunked`, body), 413, /65536|64 KiB/)
          expect(yield* listed(port, "too large")).toEqual([])
        })
      )

      it.effect(`${method} of 3 MB with Content-Length: the client reads the 413, not a reset`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* send(port, head, padded("far too large", 3_000_000)), 413, /.+/)
        })
      )

      it.effect(`${method} that announces too much gets 413 before it sends any of it`, () =>
        Effect.gen(function* () {
          const { port } = yield* Server
          expectError(yield* send(port, `${head}\nContent-Length: 9007199254740991`), 413, /.+/)
        })
      )
    }

    it.effect("Expect: 100-continue for too much is answered with 413, not with 100", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const answer = yield* send(port, `${post}\nContent-Length: 65537\nExpect: 100-continue`)
        expectError(answer, 413, /.+/)
      })
    )

    it.effect("the rest of a body that is too large is never taken for a request", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const kept = created(yield* call(port, "POST", path, request("smuggled")))
        const inner = `DELETE ${path}/${kept.id} HTTP/1.1\r\nHost: localhost\r\n\r\n`
        const received = yield* exchange(
          port,
          `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\n\r\n${inner.padEnd(70_000, "\n")}`
        )
        expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 413"])
        expect(yield* listed(port, "smuggled")).toEqual([kept])
      })
    )
  })

  it.effect("a client that goes away half-way through its body leaves nothing behind", () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      const body = request("half")
      yield* Effect.async<void>((resume) => {
        const socket = connect({ port, host: "127.0.0.1" })
        const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`
        socket.write(`${head}${body.slice(0, -1)}`, () => socket.destroy())
        socket.on("close", () => resume(Effect.void))
      })
      expect(parseAnswer(yield* exchange(port, "GET /healthz HTTP/1.0\r\n\r\n")).status).toBe(200)
      expect(yield* listed(port, "half")).toEqual([])
    })
  )
})
