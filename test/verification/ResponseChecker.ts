import { readFileSync } from "node:fs"
import { connect } from "node:net"
import { expect } from "@effect/vitest"
import { Allocation } from "@port-server/domain/Allocation"
import { Health } from "@port-server/domain/api/Health"
import { PortStatus, ReleaseManyResult, ReleaseResult } from "@port-server/domain/api/Results"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** What a connection brought: every byte that came, and how it ended. */
export interface Heard {
  readonly bytes: string
  /** `waiting`: the server had neither answered nor closed when the client gave up. */
  readonly end: "closed" | "reset" | "waiting"
}

/** One answer of a connection, judged. */
export interface Judged {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly json: unknown
}

/**
 * Send bytes and listen until the server closes, or until `patience` ms have passed without a byte from it. Fails where
 * nobody listens: a server that is gone has not closed a connection.
 */
export const hear = (
  to: number | string,
  bytes: string | Uint8Array,
  options: { readonly patience?: number; readonly leave?: "end" | "reset" | undefined } = {}
): Effect.Effect<Heard> =>
  Effect.async((resume) => {
    const place = typeof to === "number" ? { port: to, host: "127.0.0.1" } : { path: to }
    const socket = connect({ ...place, allowHalfOpen: true })
    let received = ""
    const done = (end: Heard["end"]) => {
      clearTimeout(timer)
      socket.destroy()
      resume(Effect.succeed({ bytes: received, end }))
    }
    const timer = setTimeout(() => done("waiting"), options.patience ?? 15_000)
    socket.setEncoding("latin1").on("data", (text: string) => {
      received += text
      timer.refresh()
    })
    socket
      .on("end", () => done("closed"))
      .on("close", () => done("reset"))
      .on("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "ECONNREFUSED") resume(Effect.dieMessage(`nobody listens on ${to}`))
        else done("reset")
      })
    const content = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes
    if (options.leave === "end") socket.end(content)
    else if (options.leave === "reset") {
      // A Unix socket has no reset.
      socket.write(content, () => (typeof to === "number" ? socket.resetAndDestroy() : socket.destroy()))
    } else socket.write(content)
  })

const strict = { onExcessProperty: "error" } as const

const decodeError = Schema.decodeUnknownSync(Schema.Struct({ error: Schema.NonEmptyString }), strict)
const decodeConflict = Schema.decodeUnknownSync(
  Schema.Struct({ error: Schema.Literal("port already allocated"), holder: Schema.encodedSchema(Allocation) }),
  strict
)

const health = Schema.decodeUnknownSync(Health, strict)
const success: Readonly<Record<string, (json: unknown) => unknown>> = {
  "POST /v1/allocations": Schema.decodeUnknownSync(Allocation, strict),
  "GET /v1/allocations": Schema.decodeUnknownSync(Schema.Array(Allocation), strict),
  "GET /v1/ports": Schema.decodeUnknownSync(PortStatus, strict),
  "DELETE /v1/allocations/": Schema.decodeUnknownSync(ReleaseResult, strict),
  "DELETE /v1/allocations": Schema.decodeUnknownSync(ReleaseManyResult, strict),
  "GET /healthz": health
}

const decodes = (decode: (json: unknown) => unknown, json: unknown): boolean => {
  try {
    decode(json)
    return true
  } catch {
    return false
  }
}

const statusLine = /^HTTP\/1\.1 ([1-5][0-9]{2}) ([ -~]+)$/
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t -~]*)$/

const page = readFileSync(new URL("../../bin/dashboard.html", import.meta.url), "latin1")

/** What no answer says: names of the program's inside, a stack, SQL. */
const insides = /_tag|\bat [/\w.<>]+:\d+|node_modules|SELECT |INSERT |SQLITE_|undefined|\[object /

/** What would steer the terminal that shows a sentence, or is no text. */
const unprintable = /[\p{Cc}\p{Surrogate}\u202a-\u202e\u2066-\u2069]/u

const judgeBody = (status: number, text: string): unknown => {
  const json: unknown = JSON.parse(Buffer.from(text, "latin1").toString("utf8"))
  if (status < 400) {
    expect(
      Object.values(success).some((decode) => decodes(decode, json)),
      `no success of the API: ${text}`
    ).toBe(true)
    return json
  }
  if (!(status === 409 && decodes(decodeConflict, json))) {
    const { error } = decodeError(json)
    expect(error).not.toMatch(insides)
    // What came is echoed in short, if at all.
    expect(error.length, error).toBeLessThanOrEqual(400)
    expect(error).not.toMatch(unprintable)
  }
  return json
}

/**
 * Every answer in what came over one connection: each whole, well-formed, in the API's JSON or the page at `/`, with its fixed headers, and
 * none a 500. `heads` are the positions, among the final answers, of those to a HEAD.
 */
export const judge = (heard: Heard, heads: ReadonlySet<number> = new Set()): ReadonlyArray<Judged> => {
  const answers: Array<Judged> = []
  let rest = heard.bytes
  let position = 0
  while (rest !== "") {
    const end = rest.indexOf("\r\n\r\n")
    expect(end, `no end of the headers in ${JSON.stringify(rest.slice(0, 300))}`).toBeGreaterThan(0)
    const [line = "", ...fields] = rest.slice(0, end).split("\r\n")
    const [, digits] = statusLine.exec(line) ?? []
    expect(digits, `status line ${JSON.stringify(line)}`).toBeDefined()
    const status = Number(digits)
    const headers: Record<string, string> = {}
    for (const field of fields) {
      const [, name, value] = headerLine.exec(field) ?? []
      expect(name, `header ${JSON.stringify(field)}`).toBeDefined()
      const key = (name ?? "").toLowerCase()
      expect(headers, `twice: ${field}`).not.toHaveProperty([key])
      headers[key] = value ?? ""
    }
    rest = rest.slice(end + 4)
    if (status === 100) {
      answers.push({ status, headers, json: undefined })
      continue
    }
    expect(status).not.toBe(500)
    expect(headers).toMatchObject({ "cache-control": "no-store", "x-content-type-options": "nosniff" })
    expect(Object.keys(headers).filter((name) => /^(access-control|x-powered|set-cookie)/.test(name))).toEqual([])
    const isHead = heads.has(position++)
    if (isHead || status === 204) {
      answers.push({ status, headers, json: undefined })
      continue
    }
    const isPage = status === 200 && headers["content-type"] === "text/html; charset=utf-8"
    if (!isPage) expect(headers["content-type"]).toBe("application/json")
    expect(headers["content-length"]).toMatch(/^[0-9]+$/)
    const length = Number(headers["content-length"])
    expect(rest.length, `body cut short: ${JSON.stringify(rest.slice(0, 300))}`).toBeGreaterThanOrEqual(length)
    const body = rest.slice(0, length)
    if (isPage) expect(body).toBe(page)
    answers.push({ status, headers, json: isPage ? undefined : judgeBody(status, body) })
    rest = rest.slice(length)
  }
  return answers
}

/** Statuses of judged answers, in their order. */
export const statusesOf = (answers: ReadonlyArray<Judged>): string => answers.map(({ status }) => status).join(" ")

/** The success of one endpoint, decoded with its own schema. */
export const decodeSuccess = (endpoint: string, json: unknown): unknown => {
  const decode = success[endpoint]
  if (decode === undefined) throw new Error(`no endpoint ${endpoint}`)
  return decode(json)
}

/** Memory of a process that is resident, in MB. */
export const residentMegabytes = (pid: number): number => {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
  return Math.round(Number(kilobytes) / 1024)
}
