import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import { PortServerApi } from "@port-server/domain/api/PortServerApi"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Imports } from "../registry/Imports.ts"
import { Projects } from "../registry/Projects.ts"
import { Registry } from "../registry/Registry.ts"
import { encodePages } from "./AllocationPages.ts"
import { ErrorMiddleware } from "./ErrorMiddleware.ts"
import { StaticFilesLive } from "./StaticFiles.ts"

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
