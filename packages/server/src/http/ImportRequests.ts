import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import { BackupEntry, ImportRequest } from "@port-server/domain/Backup"
import { InvalidRequest } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as EventLoop from "../runtime/EventLoop.ts"
import * as JsonSlices from "./JsonSlices.ts"

const decodeOuter = Schema.decodeUnknown(
  Schema.Struct({ ...ImportRequest.fields, allocations: Schema.Array(Schema.Unknown) }),
  { onExcessProperty: "error" }
)

const decodeSlice = Schema.decodeUnknown(Schema.Array(BackupEntry))

/** The error of a slice, with the place that it has in the whole. */
const inWhole = (offset: number) => (error: ParseResult.ParseError) => {
  const [issue] = ParseResult.ArrayFormatter.formatIssueSync(error.issue)
  if (issue === undefined) return InvalidRequest.fromIssue(issue)
  const [index, ...rest] = issue.path
  return InvalidRequest.fromIssue({ ...issue, path: ["allocations", Number(index) + offset, ...rest] })
}

/** The body of an import, decoded in slices, so that other requests are served in between. */
export const importRequest = Effect.fnUntraced(function* (request: HttpServerRequest) {
  const outer = yield* Effect.mapError(decodeOuter(yield* Effect.orDie(request.json)), InvalidRequest.fromParseError)
  const allocations: Array<typeof BackupEntry.Type> = []
  for (const slice of JsonSlices.slicesOf(outer.allocations)) {
    allocations.push(...(yield* Effect.mapError(decodeSlice(slice), inWhole(allocations.length))))
    yield* EventLoop.yieldToIO
  }
  return { ...outer, allocations }
})
