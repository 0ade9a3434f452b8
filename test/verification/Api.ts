import { Agent, request as httpRequest } from "node:http"
import * as HttpApi from "@effect/platform/HttpApi"
import { expect } from "@effect/vitest"
import { PortServerApi } from "@port-server/domain/api/PortServerApi"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** An answer that fits the API: what its endpoint's schema for its status made of it. */
export interface Answer {
  readonly _tag: "Answer"
  readonly status: number
  readonly value: unknown
}

/** The connection was refused or ended before a whole answer came: what was asked for may have happened or not. */
export interface NoAnswer {
  readonly _tag: "NoAnswer"
  readonly why: string
}

/** What came of a request. */
export type Outcome = Answer | NoAnswer

/** What the API declares of one endpoint. */
interface Endpoint {
  readonly method: string
  readonly path: RegExp
  readonly answers: ReadonlyMap<number, Schema.Schema<unknown>>
}

const endpoints: Array<Endpoint> = []

HttpApi.reflect(PortServerApi, {
  onGroup: () => {},
  onEndpoint: ({ endpoint, errors, successes }) => {
    const answers = new Map<number, Schema.Schema<unknown>>()
    for (const [status, { ast }] of [...successes, ...errors]) {
      if (Option.isSome(ast)) answers.set(status, Schema.make(ast.value))
    }
    const path = new RegExp(`^${endpoint.path.replace(/:\w+/g, "[^/]+")}$`)
    endpoints.push({ method: endpoint.method, path, answers })
  }
})

/**
 * The value of an answer, by the schema that the API declares for the endpoint and the status. Every field must be
 * declared, and encoding the value must give the very body again.
 */
const decode = (method: string, path: string, status: number, body: string): unknown => {
  const [plain = ""] = path.split("?")
  const endpoint = endpoints.find((candidate) => candidate.method === method && candidate.path.test(plain))
  const schema = endpoint?.answers.get(status)
  if (schema === undefined) throw new Error(`the API declares no answer ${status} to ${method} ${path}: ${body}`)
  const json: unknown = JSON.parse(body)
  const value = Schema.decodeUnknownSync(schema, { onExcessProperty: "error" })(json)
  expect(Schema.encodeSync(schema)(value)).toEqual(json)
  return value
}

// Connections are kept: thousands of short ones would use up the machine's own ports.
const agent = new Agent({ keepAlive: true, maxFreeSockets: 64 })

/** Send one request and check what comes back. An answer that does not fit the API fails the test. */
export const ask = (port: number, method: string, path: string, body?: unknown): Effect.Effect<Outcome> =>
  Effect.async((resume) => {
    const text = body === undefined ? "" : JSON.stringify(body)
    const headers = body === undefined ? {} : { "Content-Length": Buffer.byteLength(text) }
    const gone = (error: Error) => resume(Effect.succeed({ _tag: "NoAnswer", why: error.message }))
    const request = httpRequest({ host: "127.0.0.1", port, method, path, headers, agent }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("error", gone).on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("end", () => {
        if (!response.complete) return
        resume(
          Effect.sync(() => {
            const status = response.statusCode ?? 0
            expect(response.headers).toMatchObject({
              "content-type": "application/json",
              "cache-control": "no-store",
              "x-content-type-options": "nosniff"
            })
            const value = decode(method, path, status, Buffer.concat(chunks).toString("utf8"))
            return { _tag: "Answer", status, value } as const
          })
        )
      })
    })
    request.on("error", gone)
    request.end(text)
  })

/** {@link ask} a server that must answer. */
export const answered = (port: number, method: string, path: string, body?: unknown): Effect.Effect<Answer> =>
  Effect.flatMap(ask(port, method, path, body), (outcome) =>
    outcome._tag === "Answer"
      ? Effect.succeed(outcome)
      : Effect.dieMessage(`no answer to ${method} ${path}: ${outcome.why}`)
  )

/** The value of an answer that must be of one kind. */
export const valueIn = <A, I>(answer: Answer, kind: Schema.Schema<A, I>): A => {
  if (Schema.is(kind)(answer.value)) return answer.value
  throw new Error(`not the expected answer: ${answer.status} ${JSON.stringify(answer.value)}`)
}

/** The path of every allocation. */
export const allocations = "/v1/allocations"

/** The path of the allocations that equal a selector. */
export const listPath = (selector: Readonly<Record<string, string | number>>): string => {
  const query = Object.entries(selector).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
  return query.length === 0 ? allocations : `${allocations}?${query.join("&")}`
}
