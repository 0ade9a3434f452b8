import { realpathSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as SystemError from "../runtime/SystemError.ts"

/** A file that the build leaves beside the program. */
interface Document {
  readonly file: string
  readonly contentType: string
  readonly headers?: Readonly<Record<string, string>>
}

// Nothing of another host, no script in the page itself, in no frame. The page sets styles on its elements.
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")

/** What the server answers beside the API, by path. */
export const documents: ReadonlyMap<string, Document> = new Map([
  ["/openapi.json", { file: "openapi.json", contentType: "application/json" }],
  ["/portctl.schema.json", { file: "portctl.schema.json", contentType: "application/schema+json" }],
  [
    "/docs",
    {
      file: "docs.html",
      contentType: "text/html; charset=utf-8",
      headers: { "content-security-policy": contentSecurityPolicy, "referrer-policy": "same-origin" }
    }
  ],
  ["/docs/swagger-ui.js", { file: "swagger-ui.js", contentType: "text/javascript; charset=utf-8" }],
  ["/docs/swagger-ui.css", { file: "swagger-ui.css", contentType: "text/css; charset=utf-8" }]
])

/** The response in place of a file that cannot be read: the installation may have been removed under the server. */
const unreadable = (file: string, error: unknown) =>
  HttpServerResponse.unsafeJson(
    {
      error: `port-server's own file ${file} cannot be read: ${SystemError.errorReason(error)}; if port-server was upgraded or removed, restart it`
    },
    { status: 503 }
  )

/** The {@link documents}: each is read when it is asked for, so that one that nobody asks for costs nothing. */
export const StaticFilesLive = HttpApiBuilder.Router.use((router) => {
  // Where the build left them.
  const folder = dirname(realpathSync(process.argv[1] ?? ""))
  return Effect.forEach(
    documents,
    ([path, { contentType, file, headers = {} }]) =>
      router.get(
        // Each is a path without parameters.
        `/${path.slice(1)}`,
        Effect.match(Effect.tryPromise({ try: () => readFile(join(folder, file)), catch: (error) => error }), {
          onFailure: (error) => unreadable(file, error),
          onSuccess: (content) => HttpServerResponse.uint8Array(content, { contentType, headers })
        })
      ),
    { discard: true }
  )
})
