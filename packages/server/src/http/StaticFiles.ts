import { realpathSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as RcMap from "effect/RcMap"
import * as SystemError from "../runtime/SystemError.ts"
import { toServerResponse } from "./ErrorResponse.ts"
import * as LongBody from "./LongBody.ts"

/** A file that the build leaves beside the program. */
interface Document {
  readonly file: string
  readonly contentType: string
  readonly headers?: Readonly<Record<string, string>>
}

// Nothing of another host, no script in a page itself, in no frame.
const contentSecurityPolicy = (...more: ReadonlyArray<string>) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    ...more
  ].join("; ")

const page = (file: string, ...more: ReadonlyArray<string>): Document => ({
  file,
  contentType: "text/html; charset=utf-8",
  headers: {
    "content-security-policy": contentSecurityPolicy(...more),
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "same-origin"
  }
})

/** What the server answers beside the API, by path. */
export const documents: ReadonlyMap<string, Document> = new Map([
  ["/openapi.json", { file: "openapi.json", contentType: "application/json" }],
  ["/config.schema.json", { file: "config.schema.json", contentType: "application/schema+json" }],
  ["/portctl.schema.json", { file: "portctl.schema.json", contentType: "application/schema+json" }],
  ["/", page("dashboard.html", "style-src 'self'", "require-trusted-types-for 'script'", "trusted-types 'none'")],
  ["/dashboard.js", { file: "dashboard.js", contentType: "text/javascript; charset=utf-8" }],
  ["/dashboard.css", { file: "dashboard.css", contentType: "text/css; charset=utf-8" }],
  ["/dashboard.svg", { file: "dashboard.svg", contentType: "image/svg+xml" }],
  // Swagger UI sets styles on its elements.
  ["/docs", page("docs.html", "style-src 'self' 'unsafe-inline'")],
  ["/docs/swagger-ui.js", { file: "swagger-ui.js", contentType: "text/javascript; charset=utf-8" }],
  ["/docs/swagger-ui.css", { file: "swagger-ui.css", contentType: "text/css; charset=utf-8" }]
])

/** The response in place of a file that cannot be read: the installation may have been removed under the server. */
const unreadable = (file: string, error: unknown) =>
  toServerResponse({
    status: 503,
    error: `port-server's own file ${file} cannot be read: ${SystemError.errorReason(error)}; if port-server was upgraded or removed, restart it`
  })

/** How much of a document is written at a time, in bytes. */
const chunkSize = 256 * 1024

/** The bytes in chunks, which share the memory. */
const chunksOf = (content: Buffer): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(content.length / chunkSize) }, (_, index) =>
    content.subarray(index * chunkSize, (index + 1) * chunkSize)
  )

/** The {@link documents}: each is read when it is requested, and kept in memory once for all who read it then. */
export const StaticFilesLive = HttpApiBuilder.Router.use((router) =>
  Effect.gen(function* () {
    // Where the build left them.
    const folder = dirname(realpathSync(process.argv[1] ?? ""))
    const contents = yield* RcMap.make({
      lookup: (file: string) =>
        Effect.map(Effect.tryPromise({ try: () => readFile(join(folder, file)), catch: (error) => error }), chunksOf)
    })
    yield* Effect.forEach(
      documents,
      ([path, { contentType, file, headers = {} }]) =>
        router.get(
          // Each is a path without parameters.
          `/${path.slice(1)}`,
          Effect.match(RcMap.get(contents, file), {
            onFailure: (error) => unreadable(file, error),
            onSuccess: (chunks) => HttpServerResponse.setHeaders(LongBody.response(chunks, { contentType }), headers)
          })
        ),
      { discard: true }
    )
  })
)
