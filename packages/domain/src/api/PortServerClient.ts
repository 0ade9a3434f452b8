import type * as HttpClient from "@effect/platform/HttpClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AllocationId } from "../Allocation.ts"
import type { ListFilter, ReleaseFilter } from "../AllocationFilter.ts"
import type { AllocationRequest } from "../AllocationRequest.ts"
import type { ImportRequest } from "../Backup.ts"
import type { EnsureRequest } from "../Ensure.ts"
import type { EventQuery } from "../Event.ts"
import { largestPage } from "../LargestPage.ts"
import type { ListenersQuery } from "../Listener.ts"
import type { Port } from "../Port.ts"
import type { PruneRequest } from "../Prune.ts"
import { type Address, addressFromEnv } from "../ServerAddress.ts"
import { readPages } from "./AllocationPages.ts"
import { lazyEndpoints } from "./LazyEndpoints.ts"
import { clientFor } from "./Transport.ts"
import * as TypedCalls from "./TypedCalls.ts"

/** How long a call may take to the end of its response before the server counts as unreachable. */
const requestTimeout = Duration.seconds(10)

/**
 * The API of a running port-server, derived from `PortServerApi`. Every method fails with
 * `ServerUnreachable`, `UnexpectedResponse`, `InvalidRequest` (also before anything is sent), `StorageFull`
 * or `StorageUnavailable`; what reads the machine's sockets (`allocate`, `ensure`, `listeners`, `prune`) also with
 * `ListenersUnavailable`, which is worth another try; further errors are named at each. Wants an `HttpClient`, for example
 * `FetchHttpClient.layer`, which is not used for the address of a Unix socket. The address comes from
 * `PORT_SERVER_ADDR`; {@link PortServerClient.at} fixes one.
 */
export class PortServerClient extends Effect.Service<PortServerClient>()("@port-server/domain/api/PortServerClient", {
  effect: Effect.flatMap(addressFromEnv, (address) =>
    Effect.map(clientFor(address), (client) => make(address, client, requestTimeout))
  )
}) {
  /**
   * The client of the server at `address`, whatever the environment is.
   *
   * @param timeout how long a call may take, by default 10 s; infinite where the `HttpClient` itself bounds requests
   */
  static at(
    address: Address,
    timeout: Duration.DurationInput = requestTimeout
  ): Layer.Layer<PortServerClient, never, HttpClient.HttpClient> {
    return Layer.effect(
      PortServerClient,
      Effect.map(clientFor(address), (client) => PortServerClient.over(address, client, timeout))
    )
  }

  /** The same, of a server that `client` reaches, whatever its address is. */
  static over(
    address: Address,
    client: HttpClient.HttpClient,
    timeout: Duration.DurationInput = requestTimeout
  ): PortServerClient {
    return new PortServerClient(make(address, client, timeout))
  }
}

const make = (address: Address, client: HttpClient.HttpClient, timeout: Duration.DurationInput) => {
  const { call, notAList, observe } = TypedCalls.make(address, timeout)
  const endpoints = lazyEndpoints(address.url, observe(client))

  return {
    /** Where this client's server listens. */
    address,

    /** Succeeds when the server is up. */
    health: () => call(Effect.flatMap(endpoints.health, (send) => send({}))),

    /** Allocate a port; fails with `PortTaken` when the requested one has a holder, with `RangeExhausted` when none is left. */
    allocate: (request: AllocationRequest) =>
      call(
        Effect.flatMap(endpoints.allocate, (send) => send({ payload: request })),
        true
      ),

    /**
     * Give every service of a project the port that it has already, or one; all of them or, when it fails, none. Fails with
     * `InstanceTaken` when the instance belongs to another folder, with `PortTaken` when a requested port has another holder,
     * with `RangeExhausted` when too few are left.
     */
    ensure: (request: EnsureRequest) =>
      call(
        Effect.flatMap(endpoints.ensure, (send) => send({ payload: request })),
        request.dry_run !== true && request.services.length > 0
      ),

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
    prune: (request: PruneRequest) =>
      call(
        Effect.flatMap(endpoints.prune, (send) => send({ payload: request })),
        request.dry_run !== true
      ),

    /** The events that the query means, the newest last. */
    events: (query: EventQuery = {}) => call(Effect.flatMap(endpoints.events, (send) => send({ urlParams: query }))),

    /** What the server says about itself. */
    server: () => call(Effect.flatMap(endpoints.server, (send) => send({}))),

    /**
     * The allocations that equal every field of the filter, all without one; in the order of their ids. More than
     * `largestPage` are read page by page: then what is allocated or released meanwhile may be in the list or not.
     */
    list: (filter: ListFilter = {}) =>
      readPages((after) => {
        const urlParams = { ...filter, limit: largestPage, ...(after === undefined ? {} : { after }) }
        return call(Effect.flatMap(endpoints.list, (send) => send({ urlParams })))
      }, notAList),

    /** Whether the registry has allocated `port`, and to whom. */
    check: (port: Port) => call(Effect.flatMap(endpoints.check, (send) => send({ path: { port } }))),

    /** Release one allocation; fails with `AllocationNotFound` when no allocation has the id. */
    release: (id: AllocationId) =>
      call(
        Effect.flatMap(endpoints.release, (send) => send({ path: { id } })),
        true
      ),

    /** Allocate everything in a backup, or, with a conflict, nothing: then it fails with `ImportConflict`. */
    import: (request: ImportRequest) =>
      call(
        Effect.flatMap(endpoints.import, (send) => send({ payload: request })),
        // Parts are only stored until the last has come.
        request.dry_run !== true && request.transaction?.last !== false
      ),

    /** Release what equals every field of the selector, which must give one; how many were released. */
    releaseMatching: (selector: ReleaseFilter) =>
      call(
        Effect.flatMap(endpoints.releaseMatching, (send) => send({ payload: selector })),
        true
      )
  } as const
}
