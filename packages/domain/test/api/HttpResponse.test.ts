import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { readResponse } from "../../src/api/HttpResponse.ts"

const maxBody = 40

/** What is made of a response that comes in these pieces, and then ends. */
const read = (pieces: ReadonlyArray<string>, method = "GET") => {
  const reader = readResponse(method, maxBody)
  reader.next()
  for (const piece of [...pieces.map((text) => Buffer.from(text, "latin1")), undefined]) {
    const { done, value } = reader.next(piece)
    if (done === true) return { ...value, headers: { ...value.headers }, body: value.body?.toString("latin1") }
  }
  throw new Error("the end was not noticed")
}

const ok = "HTTP/1.1 200 OK\r\n"
const lengthy = (length: number) => `${ok}Content-Length: ${length}\r\n\r\n`
const chunked = `${ok}Transfer-Encoding: chunked\r\n\r\n`

const whole: ReadonlyArray<readonly [name: string, text: string, body: string | undefined]> = [
  ["of a length", `${lengthy(5)}hello`, "hello"],
  ["of no length", `${lengthy(0)}`, ""],
  ["up to the end", `${ok}X: 1\r\n\r\nhello\r\n`, "hello\r\n"],
  ["in chunks", `${chunked}5\r\nhello\r\nA;ext=1\r\n, world!\r\n\r\n0\r\n\r\n`, "hello, world!\r\n"],
  ["in chunks with trailers", `${chunked}1 \r\nx\r\n000\r\nSum: 1\r\n\r\n`, "x"],
  ["after others that are provisional", `HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 100 \r\n\r\n${lengthy(1)}x`, "x"],
  ["without a reason", "HTTP/1.0 204\r\nContent-Length: 5\r\n\r\n", ""],
  ["as large as it may be", `${lengthy(maxBody)}${"x".repeat(maxBody)}`, "x".repeat(maxBody)],
  ["too large by its length", `${lengthy(maxBody + 1)}${"x".repeat(maxBody + 1)}`, undefined],
  ["too large up to its end", `${ok}\r\n${"x".repeat(100)}`, undefined],
  ["too large in one chunk", `${chunked}ffffffff\r\n${"x".repeat(100)}`, undefined],
  ["too large in chunks", `${chunked}${`8\r\n${"x".repeat(8)}\r\n`.repeat(9)}`, undefined]
]

const broken: ReadonlyArray<readonly [name: string, code: string, text: string]> = [
  ["another protocol", "HPE_INVALID_CONSTANT", "SSH-2.0-OpenSSH_9"],
  ["another version", "HPE_INVALID_CONSTANT", "HTTP/2 200\r\n\r\n"],
  ["no status", "HPE_INVALID_CONSTANT", "HTTP/1.1 OK\r\n\r\n"],
  ["a status of no class", "HPE_INVALID_CONSTANT", "HTTP/1.1 099 OK\r\n\r\n"],
  ["a change of the protocol", "HPE_INVALID_CONSTANT", "HTTP/1.1 101 OK\r\n\r\n"],
  ["lines that end with a line feed", "HPE_INVALID_CONSTANT", "HTTP/1.1 200 OK\nA: b\n\n"],
  ["a header without a name", "HPE_INVALID_CONSTANT", `${ok}: x\r\n\r\n`],
  ["a header without a colon", "HPE_INVALID_CONSTANT", `${ok}garbage\r\n`],
  ["a folded header", "HPE_INVALID_CONSTANT", `${ok}A: b\r\n c\r\n\r\n`],
  ["a line feed in a header", "HPE_INVALID_CONSTANT", `${ok}A: b\nC: d\r\n\r\n`],
  ["two lengths", "HPE_INVALID_CONSTANT", `${ok}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`],
  ["a length and chunks", "HPE_INVALID_CONSTANT", `${ok}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx`],
  ["a negative length", "HPE_INVALID_CONSTANT", `${ok}Content-Length: -1\r\n\r\n`],
  ["another coding", "HPE_INVALID_CONSTANT", `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n`],
  ["a chunk size that is no number", "HPE_INVALID_CONSTANT", `${chunked}x\r\n`],
  ["a chunk that is longer than its size", "HPE_INVALID_CONSTANT", `${chunked}1\r\nxyz\r\n`],
  ["a long line", "HPE_HEADER_OVERFLOW", `${ok}A: ${"b".repeat(20_000)}`],
  ["many headers", "HPE_HEADER_OVERFLOW", `${ok}${"A: b\r\n".repeat(5_000)}`],
  ["nothing", "ECONNRESET", ""],
  ["a head that is cut off", "ECONNRESET", `${ok}A: b\r\n`],
  ["a body that is cut off", "ECONNRESET", `${lengthy(5)}hell`],
  ["a chunk that is cut off", "ECONNRESET", `${chunked}5\r\nhell`],
  ["chunks without a last one", "ECONNRESET", `${chunked}5\r\nhello\r\n`],
  ["trailers that are cut off", "ECONNRESET", `${chunked}0\r\n`]
]

const cuts = FastCheck.array(FastCheck.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 })

const cutAt = (text: string, places: ReadonlyArray<number>): ReadonlyArray<string> => {
  const ends = [...places.map((place) => Math.floor(place * text.length)), text.length].sort((a, b) => a - b)
  return ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end))
}

describe("the reader of responses", () => {
  for (const [name, text, body] of whole) {
    it.prop(`reads one ${name}, in whatever pieces it comes`, { cuts }, ({ cuts }) => {
      expect(read(cutAt(text, cuts)).body).toBe(body)
    })
  }

  for (const [name, code, text] of broken) {
    it.prop(`fails with ${code} on ${name}, in whatever pieces it comes`, { cuts }, ({ cuts }) => {
      expect(() => read(cutAt(text, cuts))).toThrow(expect.objectContaining({ code }))
    })
  }

  it("has the headers by their names in lower case, those of one name in one", () => {
    const text = `HTTP/1.1 404 Not  Found\r\nA-b: \t c d \r\n__proto__: x\r\nA-B:e\r\nEmpty:\r\n\r\n`
    expect(read([text])).toEqual({
      status: 404,
      headers: { "a-b": "c d, e", ["__proto__"]: "x", empty: "" },
      body: ""
    })
  })

  it("takes no longer for blanks than for other characters", () => {
    const blanks = " ".repeat(16_000)
    expect(() => read([`${ok}a:${blanks}\0\r\n`])).toThrow(expect.objectContaining({ code: "HPE_INVALID_CONSTANT" }))
    expect(read([`${ok}a:x${blanks}y\r\nContent-Length: 0\r\n\r\n`]).headers["a"]).toBe(`x${blanks}y`)
  })

  it("knows that a HEAD has no body", () => {
    expect(read([lengthy(5)], "HEAD")).toMatchObject({ status: 200, body: "" })
  })
})
