import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import { Allocation, AllocationIdFromDigits, AllocationRequest, ListQuery, ReleaseFilter } from "../Allocation.ts"
import { ImportRequest, ImportResult } from "../Backup.ts"
import { Containers } from "../Container.ts"
import { version } from "../Defaults.ts"
import { EnsureRequest, EnsureResult } from "../Ensure.ts"
import {
  AllocationNotFound,
  InstanceTaken,
  InvalidRequest,
  ListenersUnavailable,
  PortTaken,
  RangeExhausted,
  StorageFull,
  StorageUnavailable
} from "../Errors.ts"
import { EventQuery, EventStreamQuery, RegistryEvent } from "../Event.ts"
import { ImportConflict } from "../ImportConflict.ts"
import { ListenersQuery, ListeningPort } from "../Listener.ts"
import { PortFromDigits } from "../Port.ts"
import { PruneRequest, PruneResult } from "../Prune.ts"
import { ServerInfo } from "../ServerInfo.ts"
import { WorkingCopyInfo } from "../WorkingCopyInfo.ts"
import { asAnswered } from "./OpenApiDocument.ts"
import { Health, PortStatus, ReleaseManyResult, ReleaseResult } from "./Results.ts"

const PortPath = Schema.Struct({
  port: PortFromDigits.annotations({ message: () => ({ message: "invalid port", override: true }) })
})

const IdPath = Schema.Struct({ id: AllocationIdFromDigits })

/** Largest body of a request to an endpoint, in bytes. */
export class MaxBody extends Context.Reference<MaxBody>()("@port-server/domain/MaxBody", {
  defaultValue: () => 64 * 1024
}) {}

class Endpoints extends HttpApiGroup.make("registry", { topLevel: true })
  .add(
    HttpApiEndpoint.get("health", "/healthz").addSuccess(Health).annotate(OpenApi.Summary, "Whether the server is up")
  )
  .add(
    HttpApiEndpoint.post("allocate", "/v1/allocations")
      .setPayload(AllocationRequest)
      .addSuccess(Allocation, { status: 201 })
      .addError(PortTaken.body)
      .addError(RangeExhausted.body)
      .addError(ListenersUnavailable.body)
      .annotate(OpenApi.Summary, "Allocate a port")
      .annotate(OpenApi.Description, "Exactly `port` where one is given, else the first free one of the range.")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/allocations")
      .setUrlParams(ListQuery)
      .addSuccess(Schema.Array(Allocation))
      .annotate(OpenApi.Summary, "The allocations that match every filter given")
      .annotate(
        OpenApi.Description,
        "In the order of their ids. An empty filter is none. With `after` or `limit`, one page: the first `limit` allocations (500 without one) whose id is larger than `after`."
      )
  )
  .add(
    HttpApiEndpoint.get("check", "/v1/ports/:port")
      .setPath(PortPath)
      .addSuccess(PortStatus)
      .annotate(OpenApi.Summary, "Whether a port is allocated, to whom, and which sockets hold it")
  )
  .add(
    HttpApiEndpoint.del("release", "/v1/allocations/:id")
      .setPath(IdPath)
      .addSuccess(ReleaseResult)
      .addError(AllocationNotFound.body)
      .annotate(OpenApi.Summary, "Release one allocation")
  )
  .add(
    HttpApiEndpoint.del("releaseMatching", "/v1/allocations")
      .setPayload(ReleaseFilter)
      .addSuccess(ReleaseManyResult)
      .annotate(OpenApi.Summary, "Release the allocations that match every filter given")
  )
  .add(
    HttpApiEndpoint.post("ensure", "/v1/ensure")
      .setPayload(EnsureRequest)
      .addSuccess(EnsureResult)
      .addError(InstanceTaken.body)
      .addError(PortTaken.body)
      .addError(RangeExhausted.body)
      .addError(ListenersUnavailable.body)
      .annotate(OpenApi.Summary, "Give every service of a project its port")
      .annotate(
        OpenApi.Description,
        "The one that it has already, or a new one; all of them or none. An instance belongs to the first folder it was ensured for, as long as that exists; for another one it takes `share`."
      )
  )
  .add(
    HttpApiEndpoint.get("listeners", "/v1/listeners")
      .setUrlParams(ListenersQuery)
      .addSuccess(Schema.Array(ListeningPort))
      .addError(ListenersUnavailable.body)
      .annotate(OpenApi.Summary, "The ports that sockets of this machine hold, and whose they are")
      .annotate(
        OpenApi.Description,
        "With `ports`, those of them, each with its holder. With `path`, `belongs` is about the project in that folder, whoever holds the port."
      )
  )
  .add(
    HttpApiEndpoint.get("containers", "/v1/containers")
      .addSuccess(Containers)
      .annotate(OpenApi.Summary, "The containers of this machine, and the ports that they publish")
      .annotate(OpenApi.Description, "Also stopped ones, with the ports that they need to start.")
  )
  .add(
    HttpApiEndpoint.post("prune", "/v1/prune")
      .setPayload(PruneRequest)
      .addSuccess(PruneResult)
      .addError(ListenersUnavailable.body)
      .annotate(OpenApi.Summary, "Release what is stale")
      .annotate(
        OpenApi.Description,
        "Allocations whose project folder is gone while its parent is there, and whose port nothing listens on."
      )
      // The ids of all ports.
      .annotate(MaxBody, 1024 * 1024)
  )
  .add(
    HttpApiEndpoint.get("workingCopies", "/v1/working-copies")
      .addSuccess(Schema.Array(WorkingCopyInfo))
      .annotate(OpenApi.Summary, "The working copies that have ports, and their branches")
  )
  .add(
    HttpApiEndpoint.get("server", "/v1/server")
      .addSuccess(ServerInfo)
      .annotate(OpenApi.Summary, "What the server says of itself")
  )
  .add(
    HttpApiEndpoint.get("events", "/v1/events")
      .setUrlParams(EventQuery)
      .addSuccess(Schema.Array(RegistryEvent))
      .annotate(OpenApi.Summary, "What happened to the allocations")
      .annotate(
        OpenApi.Description,
        "The newest events that match every filter given, before the event `before`; with `after` or `since`, the first ones after that event, at or after that time. The newest last. The newest 10,000 of all events are kept."
      )
  )
  .add(
    HttpApiEndpoint.get("eventStream", "/v1/events/stream")
      .setUrlParams(EventStreamQuery)
      .addSuccess(Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "text/event-stream" })))
      .annotate(OpenApi.Summary, "What happens to the allocations, as server-sent events")
      .annotate(
        OpenApi.Description,
        "From now on or, with `Last-Event-ID`, after that event: each with its id, its kind as `event`, and the event of `GET /v1/events` as data. `reset` says that it is not known what happened since `Last-Event-ID`; `listeners` has a `ListenersChange`."
      )
  )
  .add(
    HttpApiEndpoint.post("import", "/v1/import")
      .setPayload(ImportRequest)
      .addSuccess(ImportResult)
      .addError(ImportConflict.body)
      .annotate(OpenApi.Summary, "Allocate everything in a backup, or nothing")
      // Some 25,000 allocations.
      .annotate(MaxBody, 4 * 1024 * 1024)
  ) {}

/** Name of an endpoint. */
export type EndpointName = HttpApiEndpoint.HttpApiEndpoint.Name<HttpApiGroup.HttpApiGroup.Endpoints<typeof Endpoints>>

/** Everything that port-server answers over HTTP: the one description that server, client and documents derive from. */
export class PortServerApi extends HttpApi.make("port-server")
  .add(Endpoints)
  .addError(InvalidRequest.body)
  .addError(StorageFull.body)
  .addError(StorageUnavailable.body)
  .annotateContext(
    OpenApi.annotations({
      title: "port-server",
      version,
      description:
        'Hands out the ports of this machine, and never one to two owners. A body is read as JSON whatever its type says. Every error is `{"error": "<one sentence>"}`.',
      transform: asAnswered
    })
  ) {}
