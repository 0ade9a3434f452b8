import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpServer from "@effect/platform/HttpServer"
import type { ListFilter } from "@port-server/domain/AllocationFilter"
import { PortServerApi } from "@port-server/domain/api/PortServerApi"
import { usualEventPage } from "@port-server/domain/Event"
import { largestPage } from "@port-server/domain/LargestPage"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Events } from "../registry/Events.ts"
import { Imports } from "../registry/Imports.ts"
import { Projects } from "../registry/Projects.ts"
import { Prune } from "../registry/Prune.ts"
import { Registry } from "../registry/Registry.ts"
import { isLarge } from "../registry/ServicePorts.ts"
import { WorkingCopies } from "../registry/WorkingCopies.ts"
import { ErrorMiddleware } from "./ErrorMiddleware.ts"
import { EventStream } from "./EventStream.ts"
import { importRequest } from "./ImportRequests.ts"
import { LargeRequests } from "./LargeRequests.ts"
import * as LongBody from "./LongBody.ts"
import { LongLists } from "./LongLists.ts"
import { encodePruneResult } from "./PruneResponse.ts"
import { Reachability } from "./Reachability.ts"
import { StaticFilesLive } from "./StaticFiles.ts"

/** From this many rows on, a response is a large one: a millisecond or more. */
const manyRows = 100

const Handlers = HttpApiBuilder.group(PortServerApi, "registry", (handlers) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    const projects = yield* Projects
    const { prune } = yield* Prune
    const imports = yield* Imports
    const { workingCopies } = yield* WorkingCopies
    const largeRequests = yield* LargeRequests
    const longLists = yield* LongLists
    const events = yield* Events
    const eventStream = yield* EventStream
    const reachability = yield* Reachability

    const list = Effect.fnUntraced(function* (filter: ListFilter) {
      const count = yield* registry.countOnPage(filter)
      const short = count < largestPage ? yield* page(count, registry.listShort(filter)) : undefined
      return short ?? LongBody.response(yield* longLists.get(filter))
    })

    /** Rows of about that number. */
    const page = <A, E>(count: number, rows: Effect.Effect<A, E>) =>
      largeRequests.takeIf(count >= manyRows, "page", rows)

    return handlers
      .handle("health", () => Effect.succeed({ status: "ok" as const }))
      .handle("allocate", ({ payload }) => registry.allocate(payload))
      .handle("list", ({ urlParams: { after, limit, ...filter } }) =>
        after === undefined && limit === undefined
          ? list(filter)
          : page(limit ?? largestPage, registry.page(filter, after, limit))
      )
      .handle("check", ({ path: { port } }) => registry.check(port))
      .handle("release", ({ path: { id } }) => Effect.as(registry.release(id), { status: "deleted" as const }))
      .handle("ensure", ({ payload }) =>
        projects.ensure(payload, (write) => largeRequests.takeIf(isLarge(payload), "ensure", write))
      )
      .handle("prune", ({ payload }) => largeRequests.take("prune", Effect.flatMap(prune(payload), encodePruneResult)))
      .handle("listeners", ({ urlParams }) => largeRequests.takeIf(false, "list", registry.listeners(urlParams)))
      .handle("workingCopies", () => largeRequests.takeIf(false, "list", workingCopies))
      .handle("containers", () => registry.containers)
      .handle("server", () => Effect.map(registry.server, reachability.describe))
      .handle("events", ({ urlParams }) => page(urlParams.limit ?? usualEventPage, events.matching(urlParams)))
      .handleRaw("eventStream", ({ headers, urlParams }) => eventStream.open(urlParams, headers["last-event-id"]))
      .handleRaw("import", ({ request }) =>
        largeRequests.take("import", Effect.flatMap(importRequest(request), imports.import))
      )
      .handle("releaseMatching", ({ payload }) =>
        Effect.map(registry.releaseMatching(payload), (deleted) => ({ deleted }))
      )
  })
)

/** The API of port-server on the {@link HttpServer.HttpServer}. */
export const HttpLive = HttpApiBuilder.serve().pipe(
  Layer.provide([HttpApiBuilder.api(PortServerApi).pipe(Layer.provide(Handlers)), ErrorMiddleware, StaticFilesLive])
)
