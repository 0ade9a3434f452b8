import { expect, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { type PortServer, startServer } from "./Programs.ts"
import { type Answer, call } from "./Wire.ts"

/** A port-server that the tests of one file share; each uses names and ports of its own. */
export class Server extends Context.Tag("test/Server")<Server, PortServer>() {}

/** Tests that share one port-server. */
export const sharedServer = (options?: Parameters<typeof startServer>[0]) =>
  layer(Layer.scoped(Server, startServer(options)), { excludeTestServices: true })

/** What an allocation has on the wire that was not ensured for a folder. */
export const allocationFields = {
  id: Schema.Int,
  app: Schema.String,
  instance: Schema.String,
  service: Schema.String,
  port: Schema.Int,
  created_at: Schema.String
}

const allocationShape = Schema.decodeUnknownSync(Schema.Struct(allocationFields), { onExcessProperty: "error" })

const errorShape = Schema.decodeUnknownSync(Schema.Struct({ error: Schema.String }))

/** The allocation in a `201 Created`. */
export const created = (answer: Answer) => {
  expect(answer.status, answer.body).toBe(201)
  return allocationShape(answer.json)
}

/** The sentence of an error, whatever else its body carries. */
export const errorOf = (answer: Answer): string => errorShape(answer.json).error

/** What the registry says of a port, whatever listens on it on this machine. */
export const portStatus = (port: number, number: number) =>
  Effect.map(call(port, "GET", `/v1/ports/${number}`), ({ json }) => {
    if (typeof json !== "object") return json
    return Object.fromEntries(Object.entries({ ...json }).filter(([name]) => !name.startsWith("listener")))
  })

/** Allocate a port that must be free. */
export const allocate = (
  port: number,
  request: { readonly app: string; readonly instance?: string; readonly service?: string; readonly port?: number }
) => Effect.map(call(port, "POST", "/v1/allocations", { instance: "dev", service: "web", ...request }), created)

/** What the list says of one app. */
export const listed = (port: number, app: string) =>
  Effect.map(call(port, "GET", `/v1/allocations?app=${encodeURIComponent(app)}`), ({ json }) => json)

/** Expect `{"error": <sentence>}`, exactly. */
export const expectError = (answer: Answer, status: number, sentence: string | RegExp) => {
  expect({ status: answer.status, body: answer.json }).toEqual({
    status,
    body: { error: typeof sentence === "string" ? sentence : expect.stringMatching(sentence) }
  })
}
