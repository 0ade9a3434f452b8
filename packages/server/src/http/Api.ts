import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { HttpApiDecodeError } from "@effect/platform/HttpApiError"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Allocation } from "@port-server/domain/Allocation"
import { PortServerApi } from "@port-server/domain/api/PortServerApi"
import { InvalidRequest, StorageUnavailable } from "@port-server/domain/Errors"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Imports } from "../registry/Imports.ts"
import { Projects } from "../registry/Projects.ts"
import { Registry } from "../registry/Registry.ts"
import * as EventLoop from "../runtime/EventLoop.ts"
import { StaticFilesLive } from "./StaticFiles.ts"

const encodePage = Schema.encode(Schema.parseJson(Schema.Array(Allocation)))

/** The bytes of a page's items, without the brackets around them; then others are served. */
const encodeItems = (page: ReadonlyArray<Allocation>) =>
  Effect.orDie(encodePage(page)).pipe(
    Effect.map((text) => Buffer.from(text.slice(1, -1))),
    Effect.zipLeft(EventLoop.turn)
  )

/** A list as the API declares it; a long one is encoded page by page, so that other requests are served in between. */
const encodePages = Effect.fnUntraced(function* (pages: ReadonlyArray<ReadonlyArray<Allocation>>) {
  const [first = [], ...others] = pages
  if (others.length === 0) return first
  const encoded = yield* Effect.forEach(pages, encodeItems)
  const items = encoded.filter(({ length }) => length > 0)
  const parts = items.flatMap((item, index) => [Buffer.from(index === 0 ? "[" : ","), item])
  return HttpServerResponse.uint8Array(Buffer.concat([...parts, Buffer.from("]")]), { contentType: "application/json" })
})

const Handlers = HttpApiBuilder.group(PortServerApi, "registry", (handlers) =>
  Effect.map(Effect.all([Registry, Projects, Imports]), ([registry, projects, imports]) =>
    handlers
      .handle("health", () => Effect.succeed({ status: "ok" as const }))
      .handle("allocate", ({ payload }) => registry.allocate(payload))
      .handle("list", ({ urlParams: { after, limit, ...filter } }) =>
        after === undefined && limit === undefined
          ? Effect.flatMap(registry.list(filter), encodePages)
          : registry.page(filter, after, limit)
      )
      .handle("check", ({ path: { port } }) => registry.check(port))
      .handle("release", ({ path: { id } }) => Effect.as(registry.release(id), { status: "deleted" as const }))
      .handle("ensure", ({ payload }) => projects.ensure(payload))
      .handle("prune", ({ payload }) => projects.prune(payload))
      .handle("listeners", () => registry.listeners)
      .handle("server", () => registry.server)
      .handle("import", ({ payload }) => imports.import(payload))
      .handle("releaseMatching", ({ payload }) =>
        Effect.map(registry.releaseMatching(payload), (deleted) => ({ deleted }))
      )
  )
)

const encodeUnavailable = Schema.encodeSync(StorageUnavailable.body)

const internalError = HttpServerResponse.unsafeJson({ error: "internal error" }, { status: 500 })

/** Every failure as `{"error": …}`: those that the API declares are encoded by it; this is for the others. */
const ErrorMiddleware = HttpApiBuilder.middleware(PortServerApi, (app) =>
  Effect.catchAllCause(app, (cause): Effect.Effect<HttpServerResponse.HttpServerResponse, InvalidRequest> => {
    const error: unknown = Cause.squash(cause)
    if (error instanceof HttpApiDecodeError) return InvalidRequest.fromIssue(error.issues[0])
    if (error instanceof StorageUnavailable && error.retryAfter !== undefined) {
      const headers = { "retry-after": String(error.retryAfter) }
      return Effect.succeed(HttpServerResponse.unsafeJson(encodeUnavailable(error), { status: 503, headers }))
    }
    if (Cause.isFailure(cause) || Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
    return Effect.as(Effect.logError("a request failed for a bug of port-server", cause), internalError)
  })
)

/** The API of port-server on the {@link HttpServer.HttpServer}. */
export const HttpLive = HttpApiBuilder.serve().pipe(
  Layer.provide(ErrorMiddleware),
  Layer.provide(HttpApiBuilder.api(PortServerApi)),
  Layer.provide(Handlers),
  Layer.provide(StaticFilesLive),
  Layer.provide(HttpServer.layerContext),
  // The router would take a longer path parameter for an unknown path; what one may be is the schema's affair.
  Layer.provide(HttpRouter.setRouterConfig({ maxParamLength: Number.POSITIVE_INFINITY }))
)
