import { type Allocation, escapeControls } from "@port-server/domain/Allocation"
import {
  AllocationNotFound,
  ImportConflict,
  InvalidRequest,
  PortTaken,
  RangeExhausted,
  StorageFull,
  StorageUnavailable
} from "@port-server/domain/Errors"
import type { ServerUnreachable, UnexpectedAnswer } from "@port-server/domain/PortServerClient"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** What failed, in the words of the command line; `body` is what the API said, or would have said. */
export class Failure extends Schema.TaggedError<Failure>()("Failure", {
  message: Schema.String,
  body: Schema.Unknown
}) {}

/** A failure that no API told: `message` is all that there is to say. */
export const failed = (message: string): Failure => new Failure({ message, body: { error: message } })

/** What any call of the client can fail with. */
export type ClientError =
  | AllocationNotFound
  | ImportConflict
  | InvalidRequest
  | PortTaken
  | RangeExhausted
  | ServerUnreachable
  | StorageFull
  | StorageUnavailable
  | UnexpectedAnswer

const Body = Schema.Union(
  PortTaken.body,
  ImportConflict.body,
  AllocationNotFound.body,
  InvalidRequest.body,
  RangeExhausted.body,
  StorageFull.body,
  StorageUnavailable.body
)
const encodeBody = Schema.encodeSync(Body)

/** An allocation and its owner, as the sentences name them: `myapp/dev/postgres (id=1)`. */
export const ownerAndId = (allocation: Allocation): string => `${allocation.owner} (id=${allocation.id})`

/** Sentences on an error that say more than its own, by its tag. */
export type Sentences = { readonly [Tag in ClientError["_tag"]]?: string }

const failure = (error: ClientError | Failure, sentences: Sentences): Failure => {
  switch (error._tag) {
    case "Failure":
      return error
    case "PortTaken":
      return new Failure({
        message: `port ${error.holder.port} is already allocated to ${ownerAndId(error.holder)}`,
        body: encodeBody(error)
      })
    case "ImportConflict":
      return new Failure({
        message: `${error.message}: ${error.conflicts.map(({ port, holder }) => `${port} belongs to ${ownerAndId(holder)}`).join(", ")}`,
        body: encodeBody(error)
      })
    case "ServerUnreachable": {
      return failed(`${error.message} (is it running? start it with: portctl start)`)
    }
    case "UnexpectedAnswer":
      return failed(error.message)
    default:
      return new Failure({ message: sentences[error._tag] ?? error.message, body: encodeBody(error) })
  }
}

/**
 * Print the answer of the API: `sentence` of it, or with `json` the API's own body, which is printed for an error too.
 *
 * @param schema the success schema of the endpoint that was called
 */
export const answer =
  <A, I>(schema: Schema.Schema<A, I>, options: { readonly json: boolean; readonly indent?: number }) =>
  <R>(
    call: Effect.Effect<A, ClientError | Failure, R>,
    sentence: (answer: A) => string,
    sentences: Sentences = {}
  ): Effect.Effect<A, Failure, R> =>
    call.pipe(
      Effect.mapError((error) => failure(error, sentences)),
      Effect.tapError(({ body }) => (options.json ? Console.log(JSON.stringify(body)) : Effect.void)),
      Effect.tap((value) =>
        Console.log(
          options.json ? JSON.stringify(Schema.encodeSync(schema)(value), undefined, options.indent) : sentence(value)
        )
      )
    )

/** The rows, one a line, every column as wide as its widest cell. */
export const aligned = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((width, row) => Math.max(width, displayWidth(row[column] ?? "")), 0)
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - displayWidth(cell)))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

/** Rows below their headings. */
export const columns = (headings: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  aligned([headings, ...rows])

/** A time of the API as tables show it: `2025-02-08 15:04:05`. */
export const time = (text: string): string => escapeControls(text.replace("T", " ").replace("Z", ""))

/** A further column of {@link table}. */
export interface Column<A> {
  readonly heading: string
  readonly cell: (allocation: A) => string
}

/** The allocations as a table, or `no allocations`. */
export const table = <A extends Omit<Allocation, "hasOwnerOf" | "owner">>(
  allocations: ReadonlyArray<A>,
  further: ReadonlyArray<Column<A>> = []
): string =>
  allocations.length === 0
    ? "no allocations"
    : columns(
        ["ID", "APP", "INSTANCE", "SERVICE", "PORT", "CREATED", ...further.map(({ heading }) => heading)],
        allocations.map((allocation) => [
          String(allocation.id),
          escapeControls(allocation.app),
          escapeControls(allocation.instance),
          escapeControls(allocation.service),
          String(allocation.port),
          time(allocation.created_at),
          ...further.map(({ cell }) => cell(allocation))
        ])
      )

// Wide and combining characters by their East Asian Width and category (Unicode UAX 11), close enough for alignment.
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u

const displayWidth = (text: string): number => {
  let width = 0
  for (const char of text) width += /\p{Mark}|\u200d/u.test(char) ? 0 : wide.test(char) ? 2 : 1
  return width
}
