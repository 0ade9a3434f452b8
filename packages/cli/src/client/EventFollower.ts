import { request as httpRequest, type IncomingMessage } from "node:http"
import * as NodeStream from "@effect/platform-node-shared/NodeStream"
import { notPortServerMessage } from "@port-server/domain/api/ClientErrors"
import { loopbackUrl } from "@port-server/domain/api/NodeHttpClient"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { headersFor } from "@port-server/domain/api/Transport"
import { type Address, isSocketAddress } from "@port-server/domain/ServerAddress"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { CliError, type ClientError } from "../errors/CliError.ts"
import { wayTo } from "./Transport.ts"

/** A block of a stream of server-sent events; without `event` it only tells the position. */
export interface Block {
  readonly id: string | undefined
  readonly event: string | undefined
  readonly data: string
}

/** How long a stream may be silent, in ms: the server has something to say every 10 s. */
const silence = 30_000

/** Longest block, in characters: far more than an event takes. */
const maxBlock = 256 * 1024

/** How long after a stream has ended it is opened again. */
const pause = "500 millis"

// The parser of @effect/experimental does not tell the ids of blocks without data.
const parse = (text: string): Block => {
  const fields = new Map(text.split("\n").map((line) => [line.split(": ", 1)[0], line.slice(line.indexOf(": ") + 2)]))
  return { id: fields.get("id"), event: fields.get("event"), data: fields.get("data") ?? "" }
}

const errorOf = (body: string, fallback: string): string => {
  try {
    const value: unknown = JSON.parse(body)
    return Predicate.hasProperty(value, "error") && typeof value.error === "string" ? value.error : fallback
  } catch {
    return fallback
  }
}

/** The response to a request for the stream; nothing where there is none. */
const open = (
  url: URL,
  address: Address,
  token: Readonly<Record<string, string>>,
  lastId: string | undefined
): Effect.Effect<Option.Option<IncomingMessage>, never, Scope.Scope> =>
  Effect.flatten(
    Effect.acquireRelease(
      Effect.sync(() => {
        const headers = { ...token, ...(lastId === undefined ? {} : { "Last-Event-ID": lastId }) }
        const way = wayTo(address)
        const route = isSocketAddress(way) ? { socketPath: way.path } : {}
        const outgoing = httpRequest(url, { ...route, headers, agent: false })
        const response = new Promise<Option.Option<IncomingMessage>>((resolve) => {
          outgoing.on("response", (message) => resolve(Option.some(message)))
          for (const event of ["error", "close"]) outgoing.on(event, () => resolve(Option.none()))
        })
        outgoing.setTimeout(silence, () => outgoing.destroy())
        outgoing.end()
        return { outgoing, response }
      }),
      ({ outgoing }) => Effect.sync(() => outgoing.destroy())
    ).pipe(Effect.map(({ response }) => Effect.promise(() => response)))
  )

// An async iterator of the response could end only with the next bytes.
/** The text of a response, read as quickly as it is used, until it ends. */
const textOf = (response: IncomingMessage): Stream.Stream<string> =>
  NodeStream.fromReadable<void, string>(
    () => response.setEncoding("utf8"),
    () => {}
  ).pipe(Stream.catchAll(() => Stream.empty))

/** The blocks of one connection, until it ends; fails when the server refuses it, unless it is one that is opened again. */
const connect = (
  url: URL,
  address: Address,
  token: Readonly<Record<string, string>>,
  lastId: string | undefined
): Stream.Stream<Block, CliError> =>
  Stream.unwrapScoped(
    Effect.map(open(url, address, token, lastId), (found) => {
      if (Option.isNone(found)) return Stream.empty
      const { headers, statusCode = 0 } = found.value
      if (statusCode === 503 && lastId !== undefined) return Stream.empty
      const foreign = notPortServerMessage(address, statusCode)
      if (statusCode !== 200) {
        const refusal = textOf(found.value).pipe(
          Stream.scan("", (begun, text) => begun + text),
          Stream.takeUntil((text) => text.length > maxBlock),
          Stream.runLast,
          Effect.map(Option.getOrElse(() => ""))
        )
        return Stream.fromEffect(Effect.flatMap(refusal, (body) => CliError.make(errorOf(body, foreign))))
      }
      if (headers["content-type"]?.startsWith("text/event-stream") !== true) return Stream.fail(CliError.make(foreign))
      return textOf(found.value).pipe(
        Stream.mapAccumEffect("", (begun, text) => {
          const blocks = (begun + text).split("\n\n")
          const rest = blocks.pop() ?? ""
          return rest.length > maxBlock ? CliError.make(foreign) : Effect.succeed([rest, blocks.map(parse)] as const)
        }),
        Stream.flattenIterables
      )
    })
  )

/**
 * What the server's event stream says from now on. A stream that ends is opened again where it ended, once the server can
 * be reached, which the client's own rules for a server that is away decide.
 */
export const follow = (
  query: Readonly<Record<string, string>>
): Stream.Stream<Block, ClientError | CliError, PortServerClient> =>
  Stream.unwrap(
    Effect.map(PortServerClient, (client) => {
      const url = new URL("/v1/events/stream", loopbackUrl(client.address.url))
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
      let lastId: string | undefined
      const token = Effect.mapError(headersFor(client.address), ({ message }) => CliError.make(message))
      const connected = Effect.map(token, (headers) => connect(url, client.address, headers, lastId))
      const once = Stream.unwrap(connected).pipe(
        Stream.tap(({ id }) =>
          Effect.sync(() => {
            lastId = id ?? lastId
          })
        )
      )
      // It may be restarted, or stopped for a while: one note, and then patience.
      const unreachable = Console.error(`note: ${client.address} cannot be reached, waiting for it`)
      const isAway = ({ _tag }: { readonly _tag: string }) => _tag === "ServerUnreachable"
      const reachable = Effect.catchIf(client.health(), isAway, () =>
        Effect.zipRight(unreachable, Effect.retry(client.health(), { while: isAway, schedule: Schedule.spaced(pause) }))
      )
      const opened = Stream.concat(once, Stream.execute(Effect.delay(reachable, pause)))
      return Stream.concat(Stream.execute(client.health()), Stream.forever(opened))
    })
  )
