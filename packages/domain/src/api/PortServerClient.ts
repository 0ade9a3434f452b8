import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  type AllocationFilter,
  type AllocationId,
  type AllocationRequest,
  largestPage,
  type ReleaseFilter
} from "../Allocation.ts"
import type { ImportRequest } from "../Backup.ts"
import type { EnsureRequest } from "../Ensure.ts"
import type { EventQuery } from "../Event.ts"
import type { ListenersQuery } from "../Listener.ts"
import type { Port } from "../Port.ts"
import type { PruneRequest } from "../Prune.ts"
import { addressFromEnv, type ServerAddress } from "../ServerAddress.ts"
import { readPages } from "./AllocationPages.ts"
import { type EndpointName, PortServerApi } from "./PortServerApi.ts"
import * as TypedCalls from "./TypedCalls.ts"

/** How long a call may take to the end of its response before the server counts as unreachable. */
const requestTimeout = Duration.seconds(10)

/**
 * The API of a running port-server, derived from {@link PortServerApi}. Every method fails with
 * `ServerUnreachable`, `UnexpectedResponse`, `InvalidRequest` (also before anything is sent), `StorageFull`
 * or `StorageUnavailable`; further errors are named at each. Wants an `HttpClient`, for example
 * `FetchHttpClient.layer`. The address comes from `PORT_SERVER_ADDR`; {@link PortServerClient.at} fixes one.
 */
export class PortServerClient extends Effect.Service<PortServerClient>()("@port-server/domain/api/PortServerClient", {
  effect: Effect.flatMap(addressFromEnv, (address) => make(address))
}) {
  /**
   * The client of the server at `address`, whatever the environment is.
   *
   * @param timeout how long a call may take, by default 10 s; infinite where the `HttpClient` itself bounds requests
   */
  static at(
    address: ServerAddress,
    timeout: Duration.DurationInput = requestTimeout
  ): Layer.Layer<PortServerClient, never, HttpClient.HttpClient> {
    return Layer.effect(
      PortServerClient,
      Effect.map(make(address, timeout), (client) => new PortServerClient(client))
    )
  }
}

const make = Effect.fnUntraced(function* (address: ServerAddress, timeout: Duration.DurationInput = requestTimeout) {
  const { call, notPortServer, observe } = TypedCalls.make(address, timeout)
  const httpClient = observe(yield* HttpClient.HttpClient)
  const options = { group: "registry", httpClient, baseUrl: address.url } as const
  /** An endpoint, derived when it is first called: a short program calls one of them. */
  const lazy = <const Name extends EndpointName>(endpoint: Name) =>
    Effect.cached(HttpApiClient.endpoint(PortServerApi, { ...options, endpoint }))
  const endpoints = yield* Effect.all({
    health: lazy("health"),
    allocate: lazy("allocate"),
    list: lazy("list"),
    check: lazy("check"),
    release: lazy("release"),
    releaseMatching: lazy("releaseMatching"),
    ensure: lazy("ensure"),
    listeners: lazy("listeners"),
    containers: lazy("containers"),
    prune: lazy("prune"),
    events: lazy("events"),
    server: lazy("server"),
    import: lazy("import")
  })

  return {
    /** Where this client's server listens. */
    address,

    /** Succeeds when the server is up. */
    health: () => call(Effect.flatMap(endpoints.health, (send) => send({}))),

    /** Allocate a port; fails with `PortTaken` when the asked one has a holder, with `RangeExhausted` when none is left. */
    allocate: (request: AllocationRequest) =>
      call(Effect.flatMap(endpoints.allocate, (send) => send({ payload: request }))),

    /**
     * Give every service of a project the port that it has already, or one; all of them or, when it fails, none. Fails with
     * `InstanceTaken` when the instance belongs to another folder, with `PortTaken` when an asked port has another holder,
     * with `RangeExhausted` when too few are left.
     */
    ensure: (request: EnsureRequest) => call(Effect.flatMap(endpoints.ensure, (send) => send({ payload: request }))),

    /**
     * The ports that sockets of this machine hold, in their order, with whose they are and who holds the port: all, or some
     * of them; with a `path`, whether they belong to the project in that folder.
     */
    listeners: (query: ListenersQuery = {}) =>
      call(Effect.flatMap(endpoints.listeners, (send) => send({ urlParams: query }))),

    /** The containers of this machine, also stopped ones, and the ports that they publish. */
    containers: () => call(Effect.flatMap(endpoints.containers, (send) => send({}))),

    /**
     * Release the stale allocations, those whose project folder is gone while its parent is there and whose port nothing
     * listens on; with `dry_run`, only tell them.
     */
    prune: (request: PruneRequest) => call(Effect.flatMap(endpoints.prune, (send) => send({ payload: request }))),

    /** The events that the query means, the newest last. */
    events: (query: EventQuery = {}) => call(Effect.flatMap(endpoints.events, (send) => send({ urlParams: query }))),

    /** What the server says of itself. */
    server: () => call(Effect.flatMap(endpoints.server, (send) => send({}))),

    /**
     * The allocations that equal every field of the filter, all without one; in the order of their ids. More than
     * `largestPage` are read page by page: then what is allocated or released meanwhile may be in the list or not.
     */
    list: (filter: AllocationFilter = {}) =>
      readPages((after) => {
        const urlParams = { ...filter, limit: largestPage, ...(after === undefined ? {} : { after }) }
        return call(Effect.flatMap(endpoints.list, (send) => send({ urlParams })))
      }, notPortServer(200)),

    /** Whether the registry has allocated `port`, and to whom. */
    check: (port: Port) => call(Effect.flatMap(endpoints.check, (send) => send({ path: { port } }))),

    /** Release one allocation; fails with `AllocationNotFound` when no allocation has the id. */
    release: (id: AllocationId) => call(Effect.flatMap(endpoints.release, (send) => send({ path: { id } }))),

    /** Allocate everything in a backup, or, with a conflict, nothing: then it fails with `ImportConflict`. */
    import: (request: ImportRequest) => call(Effect.flatMap(endpoints.import, (send) => send({ payload: request }))),

    /** Release what equals every field of the selector, which must give one; how many were released. */
    releaseMatching: (selector: ReleaseFilter) =>
      call(Effect.flatMap(endpoints.releaseMatching, (send) => send({ payload: selector })))
  } as const
})
