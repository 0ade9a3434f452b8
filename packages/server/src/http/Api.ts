import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import type { AllocationFilter } from "@port-server/domain/Allocation"
import { PortServerApi } from "@port-server/domain/api/PortServerApi"
import { portCount } from "@port-server/domain/Ensure"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Branches } from "../registry/Branches.ts"
import { Events } from "../registry/Events.ts"
import { Imports } from "../registry/Imports.ts"
import { Projects } from "../registry/Projects.ts"
import { Prune } from "../registry/Prune.ts"
import { Registry } from "../registry/Registry.ts"
import { ErrorMiddleware } from "./ErrorMiddleware.ts"
import { EventStream } from "./EventStream.ts"
import { importRequest } from "./ImportRequests.ts"
import { LongLists } from "./LongLists.ts"
import * as Parts from "./Parts.ts"
import { encodePruneResult } from "./PruneResponse.ts"
import { StaticFilesLive } from "./StaticFiles.ts"
import { Turns } from "./Turns.ts"

/** From here on, the ports of one `ensure` are a large request. */
const manyPorts = 16

const Handlers = HttpApiBuilder.group(PortServerApi, "registry", (handlers) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    const projects = yield* Projects
    const { prune } = yield* Prune
    const imports = yield* Imports
    const { workingCopies } = yield* Branches
    const turns = yield* Turns
    const longLists = yield* LongLists
    const events = yield* Events
    const eventStream = yield* EventStream

    const list = Effect.fnUntraced(function* (filter: AllocationFilter) {
      const short = yield* turns.takeIf(false, "list", registry.listShort(filter))
      return short ?? Parts.response(yield* longLists.get(filter))
    })

    return handlers
      .handle("health", () => Effect.succeed({ status: "ok" as const }))
      .handle("allocate", ({ payload }) => registry.allocate(payload))
      .handle("list", ({ urlParams: { after, limit, ...filter } }) =>
        after === undefined && limit === undefined
          ? list(filter)
          : turns.takeIf(false, "list", registry.page(filter, after, limit))
      )
      .handle("check", ({ path: { port } }) => registry.check(port))
      .handle("release", ({ path: { id } }) => Effect.as(registry.release(id), { status: "deleted" as const }))
      .handle("ensure", ({ payload }) =>
        projects.ensure(payload, (write) => turns.takeIf(portCount(payload.services) >= manyPorts, "ensure", write))
      )
      .handle("prune", ({ payload }) => turns.take("prune", Effect.flatMap(prune(payload), encodePruneResult)))
      .handle("listeners", ({ urlParams }) => turns.takeIf(false, "list", registry.listeners(urlParams)))
      .handle("workingCopies", () => turns.takeIf(false, "list", workingCopies))
      .handle("containers", () => registry.containers)
      .handle("server", () => registry.server)
      .handle("events", ({ urlParams }) => turns.takeIf(false, "list", events.matching(urlParams)))
      .handleRaw("eventStream", ({ request, urlParams }) =>
        eventStream.open(urlParams, request.headers["last-event-id"])
      )
      .handleRaw("import", ({ request }) =>
        turns.take("import", Effect.flatMap(importRequest(request), imports.import))
      )
      .handle("releaseMatching", ({ payload }) =>
        Effect.map(registry.releaseMatching(payload), (deleted) => ({ deleted }))
      )
  })
)

/** The API of port-server on the {@link HttpServer.HttpServer}. */
export const HttpLive = HttpApiBuilder.serve().pipe(
  Layer.provide(ErrorMiddleware),
  Layer.provide(HttpApiBuilder.api(PortServerApi)),
  Layer.provide(Handlers),
  Layer.provide(StaticFilesLive),
  Layer.provide([EventStream.Default, LongLists.Default, Turns.Default]),
  Layer.provide(HttpServer.layerContext),
  // The router would take a longer path parameter for an unknown path; what one may be is the schema's affair.
  Layer.provide(HttpRouter.setRouterConfig({ maxParamLength: Number.POSITIVE_INFINITY }))
)
