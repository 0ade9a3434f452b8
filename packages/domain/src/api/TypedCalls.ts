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
import type { Address } from "../ServerAddress.ts"
import { errorCode } from "../SystemError.ts"
import { isClosedCode, notPortServerMessage, ServerUnreachable, UnexpectedResponse } from "./ClientErrors.ts"

/** Whether a server has refused a request only because it starts or stops: it has done nothing, a retry is safe. */
const isTransient = (error: unknown): boolean =>
  error instanceof StorageUnavailable && (error.message === stillStarting || error.message === stopping)

// Counted, not timed: the wall clock can be set while this waits.
const transientRetry = () => Schedule.intersect(Schedule.spaced("50 millis"), Schedule.recurs(100))

const ErrorBody = Schema.Struct({ error: Schema.String })

/** The error of a server that is older than this client, which sends no field that its own version does not know. */
const unknownField = /unknown field ("[^"]*")/

/** How far a call has come. */
interface Exchange {
  /** Of its last request; missing as long as none was sent. */
  method?: string
  /** Of the response; 0 as long as there is none. */
  status: number
}

/** What the calls of a client have in common: everything that can go wrong on the way is an error a caller can act on. */
export const make = (address: Address, timeout: Duration.DurationInput) => {
  const isBounded = Duration.isFinite(Duration.decode(timeout))
  const unreachable = ({ method }: Exchange, cause?: unknown) => {
    const code = errorCode(cause)
    const isSent = cause === undefined || isClosedCode(code)
    return new ServerUnreachable({
      address: address.toString(),
      cause,
      ...(code === "" ? {} : { code }),
      mayHaveChanged: isSent && method !== undefined && method !== "GET"
    })
  }
  const notPortServer = (status: number) =>
    new UnexpectedResponse({ status, message: notPortServerMessage(address, status), isForeign: true })

  /** The error of a response that is no HTTP, by the codes of Node's parser. */
  const unreadable = () => {
    const message = `cannot use the response of ${address}: it is not HTTP, or its headers are too large`
    return new UnexpectedResponse({ status: 0, message, isForeign: true })
  }

  const current = FiberRef.unsafeMake<Exchange>({ status: 0 })

  const refused = ({ cause, description, response }: HttpClientError.ResponseError, exchange: Exchange) => {
    if (isClosedCode(errorCode(cause))) return unreachable(exchange, cause)
    if (description !== undefined) {
      const message = `cannot use the response of ${address}: ${description}`
      return new UnexpectedResponse({ status: response.status, message, isForeign: true })
    }
    return response.json.pipe(
      Effect.flatMap(Schema.decodeUnknown(ErrorBody)),
      Effect.matchEffect({
        onFailure: (error): Effect.Effect<never, ServerUnreachable | UnexpectedResponse> =>
          isClosedCode(errorCode(error)) ? unreachable(exchange, error) : notPortServer(response.status),
        onSuccess: ({ error }) =>
          new UnexpectedResponse({ status: response.status, message: error.slice(0, 300), isForeign: false })
      })
    )
  }

  /** The error of an API call, unless it is that the server is too old for the call. */
  const outdated = <E>(error: E): Effect.Effect<never, E | UnexpectedResponse> => {
    const [, field] = error instanceof InvalidRequest ? (unknownField.exec(error.message) ?? []) : []
    if (field === undefined) return Effect.fail(error)
    const message = `the port-server at ${address} is older than this program and does not know the field ${field}; portctl restart starts the new version`
    return new UnexpectedResponse({ status: 400, message, isForeign: false })
  }

  /** The answer of one attempt, with everything that can go wrong on the way to it as an error a caller can act on. */
  const attempt = <A, E>(
    call: Effect.Effect<A, E | HttpApiDecodeError | HttpClientError.HttpClientError | ParseResult.ParseError>
  ) =>
    Effect.suspend(() => {
      const exchange: Exchange = { status: 0 }
      return call.pipe(
        Effect.catchAll((error): Effect.Effect<never, E | InvalidRequest | ServerUnreachable | UnexpectedResponse> => {
          if (error instanceof HttpApiDecodeError) return new InvalidRequest({ message: error.message })
          if (ParseResult.isParseError(error)) {
            return exchange.status === 0 ? InvalidRequest.fromParseError(error) : notPortServer(exchange.status)
          }
          if (!HttpClientError.isHttpClientError(error)) return outdated(error)
          if (error._tag === "ResponseError") return refused(error, exchange)
          return errorCode(error.cause).startsWith("HPE_") ? unreadable() : unreachable(exchange, error.cause)
        }),
        Effect.locally(current, exchange),
        isBounded ? Effect.timeoutFail({ duration: timeout, onTimeout: () => unreachable(exchange) }) : identity
      )
    })

  /** Retries for up to 5 s while the server responds that it is starting or stopping. */
  const call: typeof attempt = (request) =>
    // A schedule costs a short program's start something, and is seldom needed.
    Effect.catchIf(attempt(request), isTransient, () =>
      Effect.retry(attempt(request), { while: isTransient, schedule: transientRetry() })
    )

  return {
    call,
    notPortServer,

    /** The client whose requests and responses the calls see. */
    observe: (client: HttpClient.HttpClient): HttpClient.HttpClient =>
      HttpClient.transform(client, (send, { method }) =>
        Effect.flatMap(FiberRef.get(current), (exchange) => {
          exchange.method = method
          return Effect.tap(send, ({ status }) => {
            exchange.status = status
          })
        })
      )
  } as const
}
