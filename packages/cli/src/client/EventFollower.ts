import { request as httpRequest } from "node:http"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { CliError, type ClientError } from "../errors/CliError.ts"
import { loopbackUrl } from "./LoopbackHttpClient.ts"

/** A block of a stream of server-sent events; without `event` it only tells the position. */
export interface Block {
  readonly id: string | undefined
  readonly event: string | undefined
  readonly data: string
}

/** How long a stream may be silent, in ms: the server has something to say every 10 s. */
const silence = 30_000

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

/** The blocks of one connection, until it ends; fails when the server refuses it, unless it is one that is opened again. */
const connect = (url: URL, lastId: string | undefined): Stream.Stream<Block, CliError> =>
  Stream.asyncPush<Block, CliError>(
    (emit) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const headers = lastId === undefined ? {} : { "Last-Event-ID": lastId }
          const outgoing = httpRequest(url, { headers, agent: false }, (response) => {
            let text = ""
            response.setEncoding("utf8").on("error", () => emit.end())
            response.on("close", () => emit.end())
            if (response.statusCode === 200) {
              response.on("data", (chunk: string) => {
                const blocks = (text + chunk).split("\n\n")
                text = blocks.pop() ?? ""
                emit.array(blocks.map(parse))
              })
              return
            }
            response.on("data", (chunk: string) => {
              text += chunk
            })
            response.on("end", () => {
              const { statusCode = 0 } = response
              if (statusCode === 503 && lastId !== undefined) emit.end()
              else emit.fail(CliError.make(errorOf(text, `the event stream has status ${statusCode}`)))
            })
          })
          outgoing.on("error", () => emit.end())
          outgoing.on("close", () => emit.end())
          outgoing.setTimeout(silence, () => outgoing.destroy())
          return outgoing.end()
        }),
        (outgoing) => Effect.sync(() => outgoing.destroy())
      ),
    { bufferSize: "unbounded" }
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
      const once = Stream.suspend(() => connect(url, lastId)).pipe(
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
