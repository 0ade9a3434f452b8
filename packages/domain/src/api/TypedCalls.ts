import { HttpApiDecodeError } from "@effect/platform/HttpApiError"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import { identity } from "effect/Function"
import * as ParseResult from "effect/ParseResult"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { InvalidRequest, StorageUnavailable, stillStarting, stopping } from "../CommonErrors.ts"
import { type Address, defaultAddress } from "../ServerAddress.ts"
import { errorCode } from "../SystemError.ts"
import {
  isClosedCode,
  isUnconnectedCode,
  notPortServerMessage,
  ServerUnreachable,
  UnexpectedResponse
} from "./ClientErrors.ts"

/** Whether a server has refused a request only because it starts or stops: it has done nothing, a retry is safe. */
const isTransient = (error: unknown): boolean =>
  error instanceof StorageUnavailable && (error.message === stillStarting || error.message === stopping)

// Counted, not timed: the wall clock can be set while this waits.
const transientRetry = () => Schedule.intersect(Schedule.spaced("50 millis"), Schedule.recurs(100))

const ErrorBody = Schema.Struct({ error: Schema.String })

/** The error of a server that is older than this client, which sends no field that its own version does not know. */
const unknownField = /unknown field ("[^"]*")/

/** What the calls of a client have in common: everything that can go wrong on the way is an error a caller can act on. */
export const make = (address: Address, timeout: Duration.DurationInput) => {
  const isBounded = Duration.isFinite(Duration.decode(timeout))
  const unreachable = (isChange: boolean, cause?: unknown) => {
    const code = errorCode(cause)
    // Without a code it is an error of this program, unless time is all that has passed.
    const maySent = cause === undefined || (code !== "" && !isUnconnectedCode(code))
    return new ServerUnreachable({
      address: address.toString(),
      isDefault: address === defaultAddress,
      cause,
      ...(code === "" ? {} : { code }),
      mayHaveChanged: isChange && maySent
    })
  }

  /** The error of a response that is not one of this API. What stands between may have passed the request on. */
  const unusable = (isChange: boolean, status: number, message: string, isForeign = true) =>
    new UnexpectedResponse({ status, message, isForeign, mayHaveChanged: isChange && (status < 300 || status >= 500) })
  const notPortServer = (isChange: boolean, status: number) =>
    unusable(isChange, status, notPortServerMessage(address, status))

  /** The error of a response that is no HTTP, by the codes of Node's parser. */
  const unreadable = (isChange: boolean) =>
    unusable(isChange, 0, `cannot use the response of ${address}: it is not HTTP, or its headers are too large`)

  // The status of the response to the call that runs; 0 as long as there is none.
  const answered = FiberRef.unsafeMake(0)

  const refused = (isChange: boolean, { cause, description, response }: HttpClientError.ResponseError) => {
    const { status } = response
    if (isClosedCode(errorCode(cause))) return unreachable(isChange, cause)
    if (description !== undefined)
      return unusable(isChange, status, `cannot use the response of ${address}: ${description}`, false)
    return response.json.pipe(
      Effect.flatMap(Schema.decodeUnknown(ErrorBody)),
      Effect.matchEffect({
        onFailure: (error): Effect.Effect<never, ServerUnreachable | UnexpectedResponse> =>
          isClosedCode(errorCode(error)) ? unreachable(isChange, error) : notPortServer(isChange, status),
        onSuccess: ({ error }) =>
          new UnexpectedResponse({ status, message: error.slice(0, 300), isForeign: false, mayHaveChanged: false })
      })
    )
  }

  /** The error of an API call, unless it is that the server is too old for the call. */
  const outdated = <E>(error: E): Effect.Effect<never, E | UnexpectedResponse> => {
    const [, field] = error instanceof InvalidRequest ? (unknownField.exec(error.message) ?? []) : []
    if (field === undefined) return Effect.fail(error)
    const message = `the port-server at ${address} is older than this program and does not know the field ${field}; portctl restart starts the new version`
    return new UnexpectedResponse({ status: 400, message, isForeign: false, mayHaveChanged: false })
  }

  /** The answer of one attempt, with everything that can go wrong on the way to it as an error a caller can act on. */
  const attempt = <A, E>(
    call: Effect.Effect<A, E | HttpApiDecodeError | HttpClientError.HttpClientError | ParseResult.ParseError>,
    isChange = false
  ) =>
    call.pipe(
      Effect.catchAll((error): Effect.Effect<never, E | InvalidRequest | ServerUnreachable | UnexpectedResponse> => {
        if (error instanceof HttpApiDecodeError) return new InvalidRequest({ message: error.message })
        if (ParseResult.isParseError(error)) {
          return Effect.flatMap(
            FiberRef.get(answered),
            (status): Effect.Effect<never, InvalidRequest | UnexpectedResponse> =>
              status === 0 ? InvalidRequest.fromParseError(error) : notPortServer(isChange, status)
          )
        }
        if (!HttpClientError.isHttpClientError(error)) return outdated(error)
        if (error._tag === "ResponseError") return refused(isChange, error)
        return errorCode(error.cause).startsWith("HPE_") ? unreadable(isChange) : unreachable(isChange, error.cause)
      }),
      Effect.locally(answered, 0),
      isBounded ? Effect.timeoutFail({ duration: timeout, onTimeout: () => unreachable(isChange) }) : identity
    )

  /**
   * Retries for up to 5 s while the server responds that it is starting or stopping.
   *
   * @param isChange whether the request asks for a change, which may have been made although the response does not say so
   */
  const call: typeof attempt = (request, isChange) =>
    // A schedule costs a short program's start something, and is seldom needed.
    Effect.catchIf(attempt(request, isChange), isTransient, () =>
      Effect.retry(attempt(request, isChange), { while: isTransient, schedule: transientRetry() })
    )

  return {
    call,

    /** The error of a list that is not one of port-server. */
    notAList: notPortServer(false, 200),

    /** The client whose responses the calls see. */
    observe: (client: HttpClient.HttpClient): HttpClient.HttpClient =>
      HttpClient.tap(client, ({ status }) => FiberRef.set(answered, status))
  } as const
}
