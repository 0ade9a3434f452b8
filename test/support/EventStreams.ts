import { get, type IncomingMessage } from "node:http"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"

/** One block of a stream of server-sent events. */
export interface StreamEvent {
  /** Missing in a comment or a position. */
  readonly event?: string
  readonly id?: string
  readonly data?: unknown
}

/** A stream that is read until the scope ends. */
export interface EventStream {
  readonly headers: IncomingMessage["headers"]
  /** All blocks that have come, once one of them is what is waited for. */
  readonly until: (isWanted: (block: StreamEvent) => boolean) => Effect.Effect<ReadonlyArray<StreamEvent>>
  /** The events among them. */
  readonly events: () => ReadonlyArray<StreamEvent>
  /** The last id that has come. */
  readonly lastId: () => string | undefined
  /** Read no more; with false, read on. */
  readonly pause: (isPaused: boolean) => void
  /** Whether the response came to its proper end, once it has ended. */
  readonly ended: Effect.Effect<boolean>
}

const parse = (block: string): StreamEvent => {
  const fields = block.split("\n").flatMap((line) => {
    const [, name, value] = /^(id|event|data): (.*)$/.exec(line) ?? []
    return name === undefined ? [] : [[name, name === "data" ? JSON.parse(value ?? "") : value] as const]
  })
  return Object.fromEntries(fields)
}

/** Open `GET /v1/events/stream`; succeeds when its position is known. */
export const openStream = (
  port: number,
  { headers = {}, query = "" }: { readonly headers?: Record<string, string>; readonly query?: string } = {}
): Effect.Effect<EventStream, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<IncomingMessage>((resume) => {
      const path = `/v1/events/stream${query}`
      get({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => resume(Effect.succeed(response)))
    }),
    (response) => Effect.sync(() => response.destroy())
  ).pipe(
    Effect.map((response): EventStream => {
      const blocks: Array<StreamEvent> = []
      let rest = ""
      response.setEncoding("utf8").on("error", () => {})
      response.on("data", (text: string) => {
        const parts = (rest + text).split("\n\n")
        rest = parts.pop() ?? ""
        blocks.push(...parts.map(parse))
      })
      const ended = new Promise<boolean>((resolve) => {
        response.on("close", () => resolve(response.complete))
      })
      return {
        headers: response.headers,
        until: (isWanted) =>
          Effect.async((resume) => {
            const look = () => {
              if (blocks.some(isWanted)) resume(Effect.succeed([...blocks]))
            }
            response.on("data", look)
            response.on("close", () =>
              resume(Effect.dieMessage(`the stream ended after ${JSON.stringify(blocks).slice(-2000)}`))
            )
            look()
          }),
        events: () => blocks.filter(({ event }) => event !== undefined),
        lastId: () => blocks.findLast(({ id }) => id !== undefined)?.id,
        pause: (isPaused) => void (isPaused ? response.pause() : response.resume()),
        ended: Effect.promise(() => ended)
      }
    }),
    Effect.tap((stream) => ("last-event-id" in headers ? Effect.void : stream.until(({ id }) => id !== undefined)))
  )

/** Whether a block is the event of a service. */
export const isOf =
  (kind: string, service: string) =>
  ({ data, event }: StreamEvent): boolean =>
    event === kind &&
    Predicate.hasProperty(data, "allocation") &&
    Predicate.hasProperty(data.allocation, "service") &&
    data.allocation.service === service
