import * as HttpApiClient from "@effect/platform/HttpApiClient"
import { HttpApiDecodeError } from "@effect/platform/HttpApiError"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as ParseResult from "effect/ParseResult"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import {
  type AllocationFilter,
  type AllocationId,
  type AllocationRequest,
  largestPage,
  type ReleaseFilter
} from "../Allocation.ts"
import type { ImportRequest } from "../Backup.ts"
import type { EnsureRequest } from "../Ensure.ts"
import { InvalidRequest, StorageUnavailable, stillStarting, stopping } from "../Errors.ts"
import type { EventQuery } from "../Event.ts"
import type { ListenersQuery } from "../Listener.ts"
import type { Port } from "../Port.ts"
import type { PruneRequest } from "../Prune.ts"
import { addressFromEnv, type ServerAddress } from "../ServerAddress.ts"
import { errorCode } from "../SystemError.ts"
import { readPages } from "./AllocationPages.ts"
import { notPortServerMessage, ServerUnreachable, UnexpectedResponse } from "./ClientErrors.ts"
import { type EndpointName, PortServerApi } from "./PortServerApi.ts"

/** How long a call may take to the end of its response before the server counts as unreachable. */
const requestTimeout = Duration.seconds(10)

/** Whether a server has refused a request only because it starts or stops: it has done nothing, a retry is safe. */
const isTransient = (error: unknown): boolean =>
  error instanceof StorageUnavailable && (error.message === stillStarting || error.message === stopping)

// Counted, not timed: the wall clock can be set while this waits.
const transientRetry = () => Schedule.intersect(Schedule.spaced("50 millis"), Schedule.recurs(100))

const ErrorBody = Schema.Struct({ error: Schema.String })

/**
 * The API of a running port-server, derived from {@link PortServerApi}. Every method fails with
 * {@link ServerUnreachable}, {@link UnexpectedResponse}, `InvalidRequest` (also before anything is sent), `StorageFull`
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

/** The error of a server that is older than this client, which sends no field that its own version does not know. */
const unknownField = /unknown field ("[^"]*")/

const make = Effect.fnUntraced(function* (address: ServerAddress, timeout: Duration.DurationInput = requestTimeout) {
  const unreachable = (cause?: unknown) => {
    const code = errorCode(cause)
    return new ServerUnreachable({ address: address.toString(), cause, ...(code === "" ? {} : { code }) })
  }
  const notPortServer = (status: number) =>
    new UnexpectedResponse({ status, message: notPortServerMessage(address, status) })

  // The status of the response to the call that runs; 0 as long as there is none.
  const answered = FiberRef.unsafeMake(0)
  const httpClient = HttpClient.tap(yield* HttpClient.HttpClient, ({ status }) => FiberRef.set(answered, status))
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

  const refused = ({ description, response }: HttpClientError.ResponseError) => {
    if (description !== undefined) {
      const message = `cannot use the response of ${address}: ${description}`
      return new UnexpectedResponse({ status: response.status, message })
    }
    return response.json.pipe(
      Effect.flatMap(Schema.decodeUnknown(ErrorBody)),
      Effect.matchEffect({
        onFailure: () => notPortServer(response.status),
        onSuccess: ({ error }) => new UnexpectedResponse({ status: response.status, message: error.slice(0, 300) })
      })
    )
  }

  /** The error of an API call, unless it is that the server is too old for the call. */
  const outdated = <E>(error: E): Effect.Effect<never, E | UnexpectedResponse> => {
    const [, field] = error instanceof InvalidRequest ? (unknownField.exec(error.message) ?? []) : []
    if (field === undefined) return Effect.fail(error)
    const message = `the port-server at ${address} is older than this program and does not know the field ${field}; portctl restart starts the new version`
    return new UnexpectedResponse({ status: 400, message })
  }

  /** The answer of one attempt, with everything that can go wrong on the way to it as an error a caller can act on. */
  const attempt = <A, E>(
    call: Effect.Effect<A, E | HttpApiDecodeError | HttpClientError.HttpClientError | ParseResult.ParseError>
  ) =>
    call.pipe(
      Effect.catchAll((error): Effect.Effect<never, E | InvalidRequest | ServerUnreachable | UnexpectedResponse> => {
        if (error instanceof HttpApiDecodeError) return new InvalidRequest({ message: error.message })
        if (ParseResult.isParseError(error)) {
          return Effect.flatMap(
            FiberRef.get(answered),
            (status): Effect.Effect<never, InvalidRequest | UnexpectedResponse> =>
              status === 0 ? InvalidRequest.fromParseError(error) : notPortServer(status)
          )
        }
        if (!HttpClientError.isHttpClientError(error)) return outdated(error)
        return error._tag === "ResponseError" ? refused(error) : unreachable(error.cause)
      }),
      Effect.locally(answered, 0),
      Effect.timeoutFail({ duration: timeout, onTimeout: () => unreachable() })
    )

  /** Retries for up to 5 s while the server responds that it is starting or stopping. */
  const call: typeof attempt = (request) =>
    // A schedule costs a short program's start something, and is seldom needed.
    Effect.catchIf(attempt(request), isTransient, () =>
      Effect.retry(attempt(request), { while: isTransient, schedule: transientRetry() })
    )

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
