import { readFileSync } from "node:fs"
import { request } from "node:http"
import { gzipSync } from "node:zlib"
import * as HttpApi from "@effect/platform/HttpApi"
import * as OpenApi from "@effect/platform/OpenApi"
import { describe, expect } from "@effect/vitest"
import { PortServerApi } from "@port-server/domain/api/PortServerApi"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import { expectError, Server, sharedServer } from "../../support/Api.ts"
import { call, send } from "../../support/Wire.ts"

/** The answer to a GET, whatever it is; {@link call} wants JSON. */
const get = (port: number, path: string, method = "GET") =>
  Effect.async<{ readonly status: number; readonly headers: NodeJS.Dict<string | string[]>; readonly text: string }>(
    (resume) => {
      request({ host: "127.0.0.1", port, path, method, agent: false }, (response) => {
        let text = ""
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk
        })
        response.on("end", () =>
          resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, text }))
        )
      }).end()
    }
  )

const Operation = Schema.Struct({
  summary: Schema.String,
  parameters: Schema.Array(
    Schema.Struct({ name: Schema.String, schema: Schema.Struct({ type: Schema.optional(Schema.String) }) })
  ),
  requestBody: Schema.optional(Schema.Unknown),
  responses: Schema.Record({ key: Schema.String, value: Schema.Unknown })
})
const document = Schema.decodeUnknownSync(
  Schema.Struct({
    openapi: Schema.String,
    info: Schema.Struct({ title: Schema.String, version: Schema.String, description: Schema.String }),
    paths: Schema.Record({ key: Schema.String, value: Schema.Record({ key: Schema.String, value: Operation }) }),
    components: Schema.Struct({ schemas: Schema.Record({ key: Schema.String, value: Schema.Unknown }) })
  })
)

const files = [
  ["/openapi.json", "application/json"],
  ["/portctl.schema.json", "application/schema+json"],
  ["/config.schema.json", "application/schema+json"],
  ["/", "text/html; charset=utf-8"],
  ["/dashboard.js", "text/javascript; charset=utf-8"],
  ["/dashboard.css", "text/css; charset=utf-8"],
  ["/dashboard.svg", "image/svg+xml"],
  ["/docs", "text/html; charset=utf-8"],
  ["/docs/swagger-ui.js", "text/javascript; charset=utf-8"],
  ["/docs/swagger-ui.css", "text/css; charset=utf-8"]
] as const

sharedServer()("the documents", (it) => {
  for (const [path, type] of files) {
    it.effect(`GET ${path} is ${type}, and HEAD says so without it`, () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const answer = yield* get(port, path)
        expect(answer.status).toBe(200)
        expect(answer.headers).toMatchObject({
          "content-type": type,
          "content-length": String(Buffer.byteLength(answer.text)),
          "cache-control": "no-store",
          "x-content-type-options": "nosniff"
        })
        const head = yield* get(port, path, "HEAD")
        expect({ status: head.status, text: head.text }).toEqual({ status: 200, text: "" })
        expect(head.headers["content-length"]).toBe(answer.headers["content-length"])
      })
    )

    it.effect(`${path} is for those who may talk to the server`, () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        expectError(yield* send(port, `GET ${path} HTTP/1.1\nHost: evil.test`), 403, "forbidden host")
        const origin = "Origin: http://evil.test"
        expectError(yield* send(port, `GET ${path} HTTP/1.1\nHost: localhost\n${origin}`), 403, "forbidden origin")
      })
    )
  }

  describe("/openapi.json", () => {
    it.effect("describes every endpoint, with all that it answers", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const answer = yield* call(port, "GET", "/openapi.json")
        expect(answer.json).toEqual(JSON.parse(JSON.stringify(OpenApi.fromApi(PortServerApi))))
        const { info, openapi, paths } = document(answer.json)
        expect(openapi).toMatch(/^3\.1\./)
        const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"))
        expect(info).toMatchObject({ title: "port-server", version })
        expect(Object.keys(paths).sort()).toEqual([
          "/healthz",
          "/v1/allocations",
          "/v1/allocations/{id}",
          "/v1/containers",
          "/v1/ensure",
          "/v1/events",
          "/v1/events/stream",
          "/v1/import",
          "/v1/listeners",
          "/v1/ports/{port}",
          "/v1/prune",
          "/v1/server",
          "/v1/working-copies"
        ])
        expect(Object.keys(paths["/v1/allocations"]?.["post"]?.responses ?? {})).toEqual([
          "201",
          "400",
          "403",
          "408",
          "409",
          "413",
          "417",
          "426",
          "431",
          "500",
          "503",
          "507"
        ])
      })
    )

    it.effect("names every parameter of every endpoint", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { paths } = document((yield* call(port, "GET", "/openapi.json")).json)
        const namesOf = (schemas: ReadonlyArray<Option.Option<{ readonly ast: AST.AST }>>) =>
          schemas
            .flatMap(Option.toArray)
            .flatMap(({ ast }) => AST.getPropertySignatures(AST.encodedAST(ast)).map(({ name }) => String(name)))
        const expected: Record<string, ReadonlyArray<string>> = {}
        HttpApi.reflect(PortServerApi, {
          onGroup: () => undefined,
          onEndpoint: ({ endpoint: { headersSchema, method, path, pathSchema, urlParamsSchema } }) => {
            const names = namesOf([headersSchema, pathSchema, urlParamsSchema])
            expected[`${method} ${path.replace(/:(\w+)/g, "{$1}")}`] = names.sort()
          }
        })
        const described = Object.entries(paths).flatMap(([path, operations]) =>
          Object.entries(operations).map(([method, { parameters }]) => [
            `${method.toUpperCase()} ${path}`,
            parameters.map(({ name }) => name).sort()
          ])
        )
        expect(Object.fromEntries(described)).toEqual(expected)
        expect(expected).toMatchObject({
          "GET /v1/listeners": ["path", "ports"],
          "GET /v1/ports/{port}": ["port"],
          "GET /v1/events/stream": ["app", "instance", "kind", "last-event-id", "listeners", "port", "service"]
        })
      })
    )

    it.effect("closes the requests, whose unknown fields the server refuses, and leaves the responses open", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { components, paths } = document((yield* call(port, "GET", "/openapi.json")).json)
        const refersTo = (part: unknown): ReadonlyArray<string> =>
          [...JSON.stringify(part).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].flatMap(([, name = ""]) => [
            name,
            ...refersTo(components.schemas[name])
          ])
        const bodies = Object.entries(paths).flatMap(([path, operations]) =>
          Object.entries(operations).flatMap(([method, { requestBody }]) =>
            requestBody === undefined ? [] : [{ path, method: method.toUpperCase(), requestBody }]
          )
        )
        expect(bodies).toHaveLength(5)
        for (const { method, path } of bodies) {
          expectError(yield* call(port, method, path, { newer: 1 }), 400, 'unknown field "newer"')
        }
        const requested = new Set(bodies.flatMap(({ requestBody }) => refersTo(requestBody)))
        const closed = Object.entries(components.schemas)
          .filter(([, schema]) => JSON.stringify(schema).includes('"additionalProperties":false'))
          .map(([name]) => name)
        expect(closed.filter((name) => !requested.has(name))).toEqual([])
        expect(closed).toEqual(expect.arrayContaining(["AllocationRequest", "BackupEntry", "ServiceRequest"]))
      })
    )

    it.effect("gives no schema the id of another, and says which parameters are numbers", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const answer = yield* call(port, "GET", "/openapi.json")
        expect(JSON.stringify(answer.json)).not.toMatch(/"\$id"|"not":/)
        const numbers = Object.values(document(answer.json).paths).flatMap((operations) =>
          Object.values(operations).flatMap(({ parameters }) =>
            parameters.filter(({ schema }) => schema.type === "integer").map(({ name }) => name)
          )
        )
        expect(new Set(numbers)).toEqual(new Set(["after", "before", "id", "limit", "port"]))
        const { Event } = document(answer.json).components.schemas
        expect(Event).toMatchObject({ properties: { id: { type: "integer", format: "int64" } } })
      })
    )

    it.effect("names no error that the server never answers, and refers to nothing that is not there", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const { text } = yield* get(port, "/openapi.json")
        expect(text).not.toMatch(/HttpApiDecodeError|_tag|securitySchemes/)
        for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g))
          expect(text).toContain(`"${name}": {`)
        // Generated clients have a type of each name: none is taken away.
        const names = [...text.matchAll(/^ {6}"(\w+)": \{$/gm)].map(([, name]) => name)
        expect(names).toEqual(
          expect.arrayContaining(
            "Allocation AllocationId AllocationNotFound AllocationRequest BackupEntry Client Conflict Container Containers EngineStatus EnsureRequest EnsureResult Event Health ImportConflict ImportRequest ImportResult ImportTransaction InstanceTaken Int InvalidRequest Kept Listener ListenersUnavailable ListeningPort NonNegative NonNegativeInt Port PortSocket PortStatus PortTaken ProjectPath PruneRequest PruneResult PublishedPort PublishingContainer RangeExhausted ReleaseFilter ReleaseManyResult ReleaseResult RequestedPort ServerInfo ServiceRequest StorageFull StorageUnavailable WorkingCopy WorkingCopyInfo".split(
              " "
            )
          )
        )
      })
    )
  })

  it.effect("/ loads nothing from elsewhere, may be in no frame, and makes no script of a text", () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      const { headers, text } = yield* get(port, "/")
      expect([...text.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, url]) => url)).toEqual([
        "/dashboard.svg",
        "/v1/allocations",
        "/dashboard.css",
        "/dashboard.js"
      ])
      expect(text).not.toMatch(/<script(?! src=)|<style|style=|\son\w+=/)
      expect(headers).toMatchObject({
        "content-security-policy":
          "default-src 'none'; script-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'",
        "cross-origin-opener-policy": "same-origin"
      })
    })
  )

  it.effect("the page at / has at most 35 KB, compressed", () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      const texts = yield* Effect.forEach(["/", "/dashboard.js", "/dashboard.css", "/dashboard.svg"], (path) =>
        Effect.map(get(port, path), ({ text }) => gzipSync(text).length)
      )
      expect(texts.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(35 * 1024)
    })
  )

  it.effect("/docs loads nothing from elsewhere, and may be in no frame", () =>
    Effect.gen(function* () {
      const { port } = yield* Server
      const { headers, text } = yield* get(port, "/docs")
      expect([...text.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, url]) => url)).toEqual([
        "data:,",
        "/docs/swagger-ui.css",
        "/",
        "/docs/swagger-ui.js"
      ])
      const policy = String(headers["content-security-policy"])
      expect(policy).toMatch(/^default-src 'none'; /)
      expect(policy).toMatch(/frame-ancestors 'none'/)
      expect(policy).not.toMatch(/script-src[^;]*(unsafe|\*)|https?:/)
    })
  )
})
