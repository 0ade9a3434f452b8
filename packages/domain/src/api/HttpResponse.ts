import { codedError } from "../SystemError.ts"

/** Most bytes of a line, and of all headers: what Node's own client reads. */
const maxHead = 16 * 1024

/** A response of HTTP/1.1. */
export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Nothing where it is larger than what the reader may take. */
  readonly body: Buffer | undefined
}

/** Takes the bytes as they come, `undefined` at their end. Throws an error with a code for what is not a whole response. */
type Reader<A> = Generator<undefined, A, Buffer | undefined>

// The codes of Node's own client.
const notHttp = () => codedError("HPE_INVALID_CONSTANT", "this is not HTTP")
const headTooLarge = () => codedError("HPE_HEADER_OVERFLOW", "the headers are too large")
const cutOff = () => codedError("ECONNRESET", "the connection was closed before the end of the response")

/** The bytes of a body, in one place however small the pieces are in which they come. */
class Body {
  #bytes: Buffer = Buffer.alloc(0)
  #length = 0

  add(part: Buffer): void {
    const length = this.#length + part.length
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, 2 * this.#bytes.length))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    part.copy(this.#bytes, this.#length)
    this.#length = length
  }

  get whole(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }
}

/** The bytes that have come and are not read yet. */
class Bytes {
  #waiting: Buffer = Buffer.alloc(0);

  /** The next line, without its end. As soon as it cannot begin with `start`, it is not HTTP. */
  *line(start = ""): Reader<string> {
    for (;;) {
      const end = this.#waiting.indexOf("\r\n")
      const text = this.#waiting.toString("latin1", 0, end === -1 ? undefined : end)
      if (text.slice(0, start.length) !== start.slice(0, text.length) || text.includes("\n")) throw notHttp()
      if (text.length > maxHead) throw headTooLarge()
      if (end !== -1) {
        this.#waiting = this.#waiting.subarray(end + 2)
        return text
      }
      const more = yield
      if (more === undefined) throw cutOff()
      this.#waiting = Buffer.concat([this.#waiting, more])
    }
  }

  /** That many bytes, or all up to the end, onto the body. */
  *take(length: number, body: Body, isToEnd = false): Reader<void> {
    for (let left = length; left > 0; ) {
      if (this.#waiting.length === 0) {
        const more = yield
        if (more === undefined && isToEnd) return
        if (more === undefined) throw cutOff()
        this.#waiting = more
      }
      const part = this.#waiting.subarray(0, left)
      this.#waiting = this.#waiting.subarray(part.length)
      body.add(part)
      left -= part.length
    }
  }
}

/** A text without spaces and tabs at its ends: a regular expression would take the square of their number. */
const trimmed = (text: string): string => {
  const isBlank = (index: number) => text[index] === " " || text[index] === "\t"
  let [begin, end] = [0, text.length]
  while (begin < end && isBlank(begin)) begin++
  while (begin < end && isBlank(end - 1)) end--
  return text.slice(begin, end)
}

/** Whether a text may be the name of a header, or a method (RFC 9110, section 5.6.2). */
export const isToken = (text: string): boolean => /^[\w!#$%&'*+.^`|~-]+$/.test(text)

/** The lines up to an empty one, as headers. */
function* readHeaders(bytes: Bytes): Reader<Record<string, string>> {
  const headers: Record<string, string> = Object.create(null)
  let size = 0
  for (let line = yield* bytes.line(); line !== ""; line = yield* bytes.line()) {
    size += line.length
    if (size > maxHead) throw headTooLarge()
    const [, name = "", text = ""] = /^([^:]*):([^\0\r\n]*)$/.exec(line) ?? []
    if (!isToken(name)) throw notHttp()
    const [key, value] = [name.toLowerCase(), trimmed(text)]
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`
  }
  return headers
}

/** The chunks of a body, up to `maxBody` bytes and the chunk that passes it. */
function* readChunks(bytes: Bytes, maxBody: number, body: Body): Reader<void> {
  for (let size = 0; size <= maxBody; ) {
    const [, digits] = /^([\da-f]{1,8})[ \t]*(?:;.*)?$/i.exec(yield* bytes.line()) ?? []
    if (digits === undefined) throw notHttp()
    const length = Number.parseInt(digits, 16)
    if (length === 0) {
      yield* readHeaders(bytes)
      return
    }
    size += length
    yield* bytes.take(Math.min(length, maxBody + 1), body)
    if (length <= maxBody && (yield* bytes.line()) !== "") throw notHttp()
  }
}

function* readBody(bytes: Bytes, headers: Readonly<Record<string, string>>, maxBody: number, body: Body): Reader<void> {
  const coding = headers["transfer-encoding"]
  const length = headers["content-length"]
  if (coding === undefined && length === undefined) return yield* bytes.take(maxBody + 1, body, true)
  if (coding === undefined && /^\d{1,15}$/.test(length ?? "")) {
    return yield* bytes.take(Math.min(Number(length), maxBody + 1), body)
  }
  // Of two lengths, either could be wrong.
  if (coding?.toLowerCase() !== "chunked" || length !== undefined) throw notHttp()
  return yield* readChunks(bytes, maxBody, body)
}

/**
 * Reads the one response on a connection, as `Connection: close` has it, strictly. Node's client takes a short program 2.5 ms
 * of 65, its parser is not to be had alone, and the one on npm loads node:assert.
 *
 * @param maxBody most bytes of a body
 */
export function* readResponse(method: string, maxBody: number): Reader<HttpResponse> {
  const bytes = new Bytes()
  for (;;) {
    const [, digits] = /^HTTP\/1\.[01] ([1-9]\d\d)(?: [^\0\r\n]*)?$/.exec(yield* bytes.line("HTTP/1.")) ?? []
    // No other protocol was asked for.
    if (digits === undefined || digits === "101") throw notHttp()
    const status = Number(digits)
    const headers = yield* readHeaders(bytes)
    // Only a provisional response.
    if (status < 200) continue
    const body = new Body()
    if (method !== "HEAD" && status !== 204 && status !== 304) yield* readBody(bytes, headers, maxBody, body)
    return { status, headers, body: body.whole.length > maxBody ? undefined : body.whole }
  }
}
