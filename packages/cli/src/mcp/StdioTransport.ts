import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { CliError } from "../errors/CliError.ts"
import type * as Sdk from "./Sdk.ts"

// Own code beside the SDK's transport, which at the end of the input drops the requests that it has not answered yet, says
// nothing to a line that is no message, and after one that is too long neither reads nor ends.

/** Longest message of a client, in bytes. */
const longest = 10 * 1024 * 1024

/** How long the answers may take once no more is asked, in ms. */
const patience = 30_000

// https://www.jsonrpc.org/specification#error_object
const parseError = -32_700
const invalidRequest = -32_600

const lineFeed = 10

/** The identifier that an answer to an invalid request has. */
const idOf = (value: unknown): string | number | null =>
  Predicate.hasProperty(value, "id") && (Predicate.isString(value.id) || Predicate.isNumber(value.id)) ? value.id : null

/** What the SDK knows of messages. */
type Guards = Pick<typeof Sdk, "isJSONRPCNotification" | "isJSONRPCRequest" | "isJSONRPCResponse">

/**
 * stdin and stdout as a transport of the SDK, with a message a line. `finished` is when the client has gone or asks no
 * more, and has its answers; it fails where not everything could be answered.
 */
export const make = Effect.fnUntraced(function* ({
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResponse
}: Guards) {
  const { stdin, stdout } = process
  const finished = yield* Deferred.make<void, CliError>()
  const unanswered = new Set<unknown>()
  const line: { parts: Array<Uint8Array>; size: number } = { parts: [], size: 0 }
  let outcome: Effect.Effect<void, CliError> | undefined

  const finish = (how: Effect.Effect<void, CliError>) => Deferred.unsafeDone(finished, how)
  const finishWhenAnswered = () => {
    if (outcome !== undefined && unanswered.size === 0) finish(outcome)
  }

  const write = (message: object) =>
    new Promise<void>((resolve) => {
      stdout.write(`${JSON.stringify(message)}\n`, () => resolve())
    })
  const refuse = (id: string | number | null, code: number, message: string) =>
    void write({ jsonrpc: "2.0", id, error: { code, message } })

  const receive = (text: string) => {
    if (text.trim() === "") return
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return refuse(null, parseError, "not JSON: a message is one line of JSON")
    }
    if (isJSONRPCRequest(value)) {
      // A subscription lasts as long as the connection.
      if (value.method !== "subscriptions/listen") unanswered.add(value.id)
    } else if (isJSONRPCNotification(value)) {
      if (value.method === "notifications/cancelled") unanswered.delete(value.params?.["requestId"])
    } else if (!isJSONRPCResponse(value)) {
      // Two that answer each other's answers would never end.
      if (Predicate.hasProperty(value, "result") || Predicate.hasProperty(value, "error")) return
      return refuse(
        idOf(value),
        invalidRequest,
        Array.isArray(value) ? "no batches: send each message by itself" : "not a JSON-RPC 2.0 request or notification"
      )
    }
    transport.onmessage?.(value)
  }

  const takeLine = () => {
    const text = Buffer.concat(line.parts).toString("utf8")
    line.parts = []
    line.size = 0
    receive(text)
  }
  const add = (part: Uint8Array) => {
    line.parts.push(part)
    line.size += part.length
    if (line.size > longest)
      stop(CliError.make(`a message has more than ${longest / 1024 / 1024} MiB: send shorter ones`))
  }
  const onData = (chunk: Uint8Array) => {
    let start = 0
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      add(chunk.subarray(start, end))
      if (outcome !== undefined) return
      takeLine()
      start = end + 1
    }
    add(chunk.subarray(start))
  }
  const onEnd = () => {
    takeLine()
    stop(Effect.void)
  }
  const onBroken = () => finish(Effect.void)
  const stopReading = () => {
    stdin.off("data", onData).off("end", onEnd).off("close", onEnd).off("error", onEnd).pause()
  }

  /** Read no more, and finish with this outcome when all is answered. */
  const stop = (how: Effect.Effect<void, CliError>) => {
    stopReading()
    outcome = how
    const late = () => finish(CliError.make(`${unanswered.size} requests had no answer in ${patience / 1000} s`))
    setTimeout(late, patience).unref()
    finishWhenAnswered()
  }

  const transport: Sdk.Transport = {
    start: async () => {
      stdin.on("data", onData).on("end", onEnd).on("close", onEnd).on("error", onEnd)
      stdout.on("error", onBroken)
    },
    send: async (message) => {
      await write(message)
      if (!isJSONRPCResponse(message)) return
      unanswered.delete(message.id)
      finishWhenAnswered()
    },
    close: async () => {
      stopReading()
      transport.onclose?.()
    }
  }
  return { transport, finished: Deferred.await(finished) }
})
