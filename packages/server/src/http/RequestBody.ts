import type { IncomingMessage } from "node:http"
import * as Effect from "effect/Effect"
import { busy, closing, type ErrorResponse } from "./ErrorResponse.ts"
import type { UploadBudget } from "./UploadBudget.ts"

/** The body is larger than that many bytes. */
export const tooLarge = (maxBody: number): ErrorResponse => ({
  status: 413,
  error: `the body is larger than ${maxBody} bytes`,
  headers: closing
})

/** For a client that goes away before the end of its body, and does not get it. */
const cutOff: ErrorResponse = { status: 400, error: "the request is not complete", headers: closing }

/** Read the request to its end. `onData` and, at any time, `refuse` may refuse what comes. */
const read = (
  request: IncomingMessage,
  onData: (chunk: Buffer) => ErrorResponse | undefined,
  onBegin: (refuse: (error: ErrorResponse) => void) => void = () => {}
): Effect.Effect<void, ErrorResponse> =>
  Effect.async((resume) => {
    const stop = (result: Effect.Effect<void, ErrorResponse>) => {
      request.off("data", take).off("end", end).off("close", cut)
      resume(result)
    }
    const take = (chunk: Buffer) => {
      const refused = onData(chunk)
      if (refused !== undefined) stop(Effect.fail(refused))
    }
    const end = () => stop(Effect.void)
    const cut = () => stop(Effect.fail(cutOff))
    onBegin((error) => stop(Effect.fail(error)))
    if (request.destroyed) cut()
    else request.on("data", take).on("end", end).on("close", cut)
  })

/** The body of a request, of at most `maxBody` bytes. Until the scope is closed its bytes count as received. */
export const readBody = Effect.fnUntraced(function* (
  request: IncomingMessage,
  maxBody: number,
  received: UploadBudget
) {
  const chunks: Array<Buffer> = []
  let size = 0
  let refuse: (error: ErrorResponse) => void = () => {}
  const upload = yield* Effect.acquireRelease(
    Effect.sync(() => received.begin(() => refuse(busy))),
    (upload) => Effect.sync(() => received.end(upload))
  )
  yield* read(
    request,
    (chunk) => {
      size += chunk.length
      if (size > maxBody) return tooLarge(maxBody)
      chunks.push(chunk)
      received.grow(upload, chunk.length)
      return undefined
    },
    (refuseBody) => {
      refuse = refuseBody
    }
  )
  received.complete(upload)
  const [first = Buffer.alloc(0), ...others] = chunks
  return others.length === 0 ? first : Buffer.concat(chunks)
})

/** Wait for the end of a body that nothing reads. */
export const dropBody = (request: IncomingMessage): Effect.Effect<void, ErrorResponse> => read(request, () => undefined)

/** Deepest nesting of a JSON body. */
const maxDepth = 32

const nestsDeeper = (value: unknown, levels: number): boolean =>
  typeof value === "object" &&
  value !== null &&
  (levels === 0 || Object.values(value).some((inner) => nestsDeeper(inner, levels - 1)))

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** The JSON object in a body; none when the body is not one, or is not UTF-8, or nests deeper than {@link maxDepth}. */
export const parseBody = (bytes: Uint8Array): object | undefined => {
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes))
    return typeof value === "object" && value !== null && !Array.isArray(value) && !nestsDeeper(value, maxDepth)
      ? value
      : undefined
  } catch {
    return undefined
  }
}
