import * as HttpApiClient from "@effect/platform/HttpApiClient"
import { HttpApiDecodeError } from "@effect/platform/HttpApiError"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { type AllocationFilter, type AllocationId, type AllocationRequest, largestPage } from "../Allocation.ts"
import type { ImportRequest } from "../Backup.ts"
import { serverAddress } from "../Defaults.ts"
import type { EnsureRequest } from "../Ensure.ts"
import { variable } from "../EnvConfig.ts"
import { InvalidRequest, StorageUnavailable, stillStarting } from "../Errors.ts"
import type { Port } from "../Port.ts"
import type { PruneRequest } from "../Prune.ts"
import { type ServerAddress, ServerAddressFromText } from "../ServerAddress.ts"
import { readPages } from "./AllocationPages.ts"
import { type EndpointName, PortServerApi } from "./PortServerApi.ts"

/** Nothing answers as port-server at `address`: connection refused, no such host, no route, or no answer in time. */
export class ServerUnreachable extends Data.TaggedError("ServerUnreachable")<{
  readonly address: string
  /** What the system calls it, such as `ECONNREFUSED`; not there when there was no answer in time. */
  readonly code?: string
  /** What was tried to change that, and why it failed. */
  readonly reason?: string
}> {
  /** Whether the machine itself said that nobody listens there. */
  get isRefused(): boolean {
    return this.code === "ECONNREFUSED"
  }

  override get message(): string {
    return this.reason ?? `cannot reach port-server at ${this.address}`
  }
}

/**
 * What is done when no port-server answers at the address. By default nothing, and the call fails. Where nobody listened,
 * it is tried once more after that; otherwise the server may have done what was asked.
 */
export class WhenUnreachable extends Context.Reference<WhenUnreachable>()("@port-server/domain/WhenUnreachable", {
  defaultValue: (): ((error: ServerUnreachable) => Effect.Effect<void, ServerUnreachable>) => Effect.fail
}) {}

/**
 * Something answered, but not as this API does: another program listens there, or another version. `status` is its
 * HTTP status; `message` its own `error` sentence where it gave one.
 */
export class UnexpectedResponse extends Data.TaggedError("UnexpectedResponse")<{
  readonly status: number
  readonly message: string
}> {}

/** The address in `PORT_SERVER_ADDR`, or `127.0.0.1:51234`. */
export const addressFromEnv: Config.Config<ServerAddress> = variable(
  "PORT_SERVER_ADDR",
  ServerAddressFromText,
  Schema.decodeSync(ServerAddressFromText)(serverAddress)
)

/** How long a request may take from its first byte to the end of its answer before the server counts as unreachable. */
export const answerTimeout = Duration.seconds(10)

const isStarting = (error: unknown): boolean => error instanceof StorageUnavailable && error.message === stillStarting

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
  /** The client of the server at `address`, whatever the environment says. */
  static at(address: ServerAddress): Layer.Layer<PortServerClient, never, HttpClient.HttpClient> {
    return Layer.effect(
      PortServerClient,
      Effect.map(make(address), (client) => new PortServerClient(client))
    )
  }
}

/** The system's code of what a transport failed with, or of what that was caused by. */
const codeOf = (error: unknown): string | undefined => {
  if (Predicate.hasProperty(error, "code") && typeof error.code === "string") return error.code
  return Predicate.hasProperty(error, "cause") ? codeOf(error.cause) : undefined
}

/** Said of an answer that is none of port-server's. */
export const notUnderstood = (address: ServerAddress, status: number): string =>
  `what answers at ${address} is not a port-server that this program understands (status ${status})`

const make = Effect.fnUntraced(function* (address: ServerAddress) {
  const unreachable = (code?: string) =>
    new ServerUnreachable({ address: address.toString(), ...(code === undefined ? {} : { code }) })
  const whenUnreachable = yield* WhenUnreachable
  const notPortServer = (status: number) => new UnexpectedResponse({ status, message: notUnderstood(address, status) })

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
    prune: lazy("prune"),
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
        if (!HttpClientError.isHttpClientError(error)) return Effect.fail(error)
        return error._tag === "ResponseError" ? refused(error) : unreachable(codeOf(error))
      }),
      Effect.locally(answered, 0),
      Effect.timeoutFail({ duration: answerTimeout, onTimeout: () => unreachable() })
    )

  /** The answer of a server that has started: one that is starting does nothing of what it is asked, and is asked again. */
  const settled: typeof attempt = (call) =>
    // A schedule costs a short program's start something, and is seldom needed.
    Effect.catchIf(attempt(call), isStarting, () =>
      Effect.retry(attempt(call), {
        while: isStarting,
        schedule: Schedule.upTo(Schedule.spaced("50 millis"), "2 seconds")
      })
    )

  /** The answer of a call, which is tried again when nobody listened and {@link WhenUnreachable} has found a way. */
  const answer: typeof attempt = (call) =>
    Effect.catchIf(
      settled(call),
      (error) => error instanceof ServerUnreachable,
      (error) => Effect.zipRight(whenUnreachable(error), error.isRefused ? settled(call) : error)
    )

  return {
    /** Where this client's server listens. */
    address,

    /** Succeeds when the server is up. */
    health: () => answer(Effect.flatMap(endpoints.health, (call) => call({}))),

    /** Allocate a port; fails with `PortTaken` when the asked one has a holder, with `RangeExhausted` when none is left. */
    allocate: (request: AllocationRequest) =>
      answer(Effect.flatMap(endpoints.allocate, (call) => call({ payload: request }))),

    /**
     * Give every service of a project the port that it has already, or one; all of them or, when it fails, none. Fails with
     * `InstanceTaken` when the instance belongs to another folder, with `PortTaken` when an asked port has another holder,
     * with `RangeExhausted` when too few are left.
     */
    ensure: (request: EnsureRequest) => answer(Effect.flatMap(endpoints.ensure, (call) => call({ payload: request }))),

    /** The ports that something on this machine listens on, in their order, with who listens and who holds them. */
    listeners: () => answer(Effect.flatMap(endpoints.listeners, (call) => call({}))),

    /**
     * Release the stale allocations, those whose project folder is gone while its parent is there and whose port nothing
     * listens on; with `dry_run`, only tell them.
     */
    prune: (request: PruneRequest) => answer(Effect.flatMap(endpoints.prune, (call) => call({ payload: request }))),

    /** What the server says of itself. */
    server: () => answer(Effect.flatMap(endpoints.server, (call) => call({}))),

    /**
     * The allocations that equal every field of the filter, all without one; in the order of their ids. More than
     * `largestPage` are read page by page: then what is allocated or released meanwhile may be in the list or not.
     */
    list: (filter: AllocationFilter = {}) =>
      readPages((after) => {
        const urlParams = { ...filter, limit: largestPage, ...(after === undefined ? {} : { after }) }
        return answer(Effect.flatMap(endpoints.list, (call) => call({ urlParams })))
      }, notPortServer(200)),

    /** Whether the registry has allocated `port`, and to whom. */
    check: (port: Port) => answer(Effect.flatMap(endpoints.check, (call) => call({ path: { port } }))),

    /** Release one allocation; fails with `AllocationNotFound` when no allocation has the id. */
    release: (id: AllocationId) => answer(Effect.flatMap(endpoints.release, (call) => call({ path: { id } }))),

    /** Allocate everything in a backup, or, with a conflict, nothing: then it fails with `ImportConflict`. */
    import: (request: ImportRequest) => answer(Effect.flatMap(endpoints.import, (call) => call({ payload: request }))),

    /** Release what equals every field of the selector, which must give one; how many were released. */
    releaseMatching: (selector: AllocationFilter) =>
      answer(Effect.flatMap(endpoints.releaseMatching, (call) => call({ payload: selector })))
  } as const
})
