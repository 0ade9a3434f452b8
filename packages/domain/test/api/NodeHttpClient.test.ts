import { createServer } from "node:http"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeHttpClient from "../../src/api/NodeHttpClient.ts"

/** What the client makes of a body. */
const jsonOf = (body: string) =>
  Effect.acquireRelease(
    Effect.async<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer((_, response) => response.end(body))
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}/`, close: () => server.close() }))
      })
    }),
    ({ close }) => Effect.sync(close)
  ).pipe(
    Effect.flatMap(({ url }) => NodeHttpClient.make().execute(HttpClientRequest.get(url))),
    Effect.flatMap(({ json }) => json)
  )

const size = 300 * 1024

it.scopedLive("does not parse what is nested more deeply than any answer", () =>
  Effect.gen(function* () {
    for (const [open, close] of [
      ["[", "]"],
      ['{"a":', "}"]
    ] as const) {
      const error = yield* Effect.flip(
        Effect.catchTag(jsonOf(`${open.repeat(size)}1${close.repeat(size)}`), "RequestError", Effect.die)
      )
      expect(error).toMatchObject({ _tag: "ResponseError", description: "it is nested too deeply" })
    }
  })
)

it.scopedLive("takes no bracket inside a text for nesting", () =>
  Effect.gen(function* () {
    const rows = Array.from({ length: size / 20 }, (_, id) => ({ id, text: '[{"\\[{', more: [["\\"]] }))
    expect(yield* jsonOf(JSON.stringify(rows))).toEqual(rows)
  })
)

it("sends no header that could be taken for more than one", () => {
  const url = new URL("http://127.0.0.1:51234/v1/allocations?a=b")
  const encode = (headers: Record<string, string>) =>
    NodeHttpClient.encode(HttpClientRequest.get(url, { headers }), url).toString("latin1")
  expect(encode({ a: "x\ty~\xff" })).toBe(
    "GET /v1/allocations?a=b HTTP/1.1\r\nhost: 127.0.0.1:51234\r\nconnection: close\r\na: x\ty~\xff\r\n\r\n"
  )
  for (const end of ["\r\n", "\n", "\r", "\0", "\u0100"]) {
    for (const headers of [{ a: `x${end}` }, { a: `${end}x` }, { a: `x${end}b: y` }, { [`a${end}`]: "x" }]) {
      expect(() => encode(headers)).toThrow("a header has a character")
    }
  }
  for (const name of ["", "a b", "a:", "é"]) expect(() => encode({ [name]: "x" })).toThrow("a header has a character")
})
