import { type IncomingMessage, request } from "node:http"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as SystemError from "../runtime/SystemError.ts"

/** An engine did not give what it was asked for; `reason` is the end of a sentence. */
export class EngineFailed extends Data.TaggedError("EngineFailed")<{
  readonly reason: string
  /** Whether nobody answers at the socket. */
  readonly isAbsent: boolean
  /** The HTTP status that it answered with, where that is what was wrong. */
  readonly status?: number
}> {}

const failed = (reason: string, isAbsent = false) => new EngineFailed({ reason, isAbsent })

/** What an engine answered. */
export interface EngineAnswer {
  readonly body: unknown
  readonly kind: "docker" | "podman"
}

/** Most bytes of an answer: some 10,000 containers. */
const largestAnswer = 32 * 1024 * 1024

const absentCodes = ["ENOENT", "ECONNREFUSED", "ENOTSOCK", "ENOTDIR"]

const fromError = (error: Error): EngineFailed =>
  failed(SystemError.errorReason(error), absentCodes.includes(SystemError.errorCode(error) ?? ""))

const parse = (
  { headers, statusCode = 0 }: IncomingMessage,
  text: string
): Effect.Effect<EngineAnswer, EngineFailed> =>
  statusCode === 200
    ? Effect.try({
        try: () => ({ body: JSON.parse(text), kind: "libpod-api-version" in headers ? "podman" : "docker" }),
        catch: () => failed("it does not answer as a container engine")
      })
    : new EngineFailed({ reason: `it answered with status ${statusCode}`, isAbsent: false, status: statusCode })

/** How long an engine may take. */
const timeout = "5 seconds"

/** Ask an engine at its socket. Docker's client libraries take longer to load than this to answer. */
export const get = (socketPath: string, path: string): Effect.Effect<EngineAnswer, EngineFailed> =>
  Effect.async<EngineAnswer, EngineFailed>((resume) => {
    const call = request({ socketPath, path, agent: false, headers: { host: "localhost" } }, (response) => {
      const chunks: Array<Buffer> = []
      let length = 0
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length > largestAnswer) call.destroy(new Error("its answer is too long"))
      })
      response.on("error", (error) => resume(fromError(error)))
      response.on("end", () => resume(parse(response, Buffer.concat(chunks).toString("utf8"))))
    })
    call.on("error", (error) => resume(fromError(error)))
    call.end()
    return Effect.sync(() => call.destroy())
  }).pipe(Effect.timeoutFail({ duration: timeout, onTimeout: () => failed("it does not answer") }))
