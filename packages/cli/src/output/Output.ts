import * as Terminal from "@port-server/command-line/terminal/Terminal"
import type { Allocation } from "@port-server/domain/Allocation"
import type { ServerUnreachable, UnexpectedResponse } from "@port-server/domain/api/PortServerClient"
import {
  AllocationNotFound,
  ImportConflict,
  InvalidRequest,
  ListenersUnavailable,
  PortTaken,
  RangeExhausted,
  StorageFull,
  StorageUnavailable
} from "@port-server/domain/Errors"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { hintOf } from "./Hints.ts"
import * as Table from "./Table.ts"

/** What failed, in the words of the command line; `body` is what the API said, or would have said. */
export class Failure extends Data.TaggedError("Failure")<{
  readonly message: string
  readonly body: unknown
  /** What to do next, for a person at a terminal. */
  readonly hint: string | undefined
}> {}

/** A failure that no API told: `message` is all that there is to say. */
export const failed = (message: string, hint?: string): Failure =>
  new Failure({ message, body: { error: message }, hint })

/** What any call of the client can fail with. */
export type ClientError =
  | AllocationNotFound
  | ImportConflict
  | InvalidRequest
  | ListenersUnavailable
  | PortTaken
  | RangeExhausted
  | ServerUnreachable
  | StorageFull
  | StorageUnavailable
  | UnexpectedResponse

const Body = Schema.Union(
  PortTaken.body,
  ImportConflict.body,
  AllocationNotFound.body,
  InvalidRequest.body,
  RangeExhausted.body,
  ListenersUnavailable.body,
  StorageFull.body,
  StorageUnavailable.body
)
const encodeBody = Schema.encodeSync(Body)

/** An allocation and its owner, as the sentences name them: `myapp/dev/postgres (id=1)`. */
export const ownerAndId = (allocation: Allocation): string => `${allocation.owner} (id=${allocation.id})`

/** Sentences on an error that say more than its own, by its tag. */
export type Sentences = { readonly [Tag in ClientError["_tag"]]?: string }

const failure = (error: ClientError | Failure, sentences: Sentences): Failure => {
  if (error._tag === "Failure") return error
  const hint = hintOf(error)
  switch (error._tag) {
    case "PortTaken":
      return new Failure({
        message: `port ${error.holder.port} is already allocated to ${ownerAndId(error.holder)}`,
        body: encodeBody(error),
        hint
      })
    case "ImportConflict":
      return new Failure({
        message: `${error.message}: ${error.conflicts.map(({ port, holder }) => `${port} belongs to ${ownerAndId(holder)}`).join(", ")}`,
        body: encodeBody(error),
        hint
      })
    case "ServerUnreachable": {
      return failed(
        error.reason ?? `${error.message} (is it running? start it with: portctl start)`,
        error.reason === undefined ? hint : undefined
      )
    }
    case "UnexpectedResponse":
      return failed(error.message, hint)
    default:
      return new Failure({ message: sentences[error._tag] ?? error.message, body: encodeBody(error), hint })
  }
}

/** A call whose errors are in the words of the command line; nothing is printed. */
export const inWords = <A, R>(call: Effect.Effect<A, ClientError | Failure, R>): Effect.Effect<A, Failure, R> =>
  Effect.mapError(call, (error) => failure(error, {}))

/**
 * Print the answer of the API: `sentence` of it, or with `json` the API's own body, which is printed for an error too.
 *
 * @param schema the success schema of the endpoint that was called
 */
export const answer =
  <A, I>(schema: Schema.Schema<A, I>, options: { readonly json: boolean; readonly indent?: number }) =>
  <R, B extends A = A>(
    call: Effect.Effect<B, ClientError | Failure, R>,
    sentence: (answer: B, terminal: Terminal.Terminal) => string,
    sentences: Sentences = {}
  ): Effect.Effect<B, Failure, R> =>
    call.pipe(
      Effect.mapError((error) => failure(error, sentences)),
      Effect.tapError(({ body }) => (options.json ? Console.log(JSON.stringify(body)) : Effect.void)),
      Effect.tap((value) =>
        options.json
          ? Console.log(JSON.stringify(Schema.encodeSync(schema)(value), undefined, options.indent))
          : Effect.flatMap(Terminal.stdout, (terminal) => Console.log(sentence(value, terminal)))
      )
    )

/** A time of the API as tables show it: `2025-02-08 15:04:05`. */
export const time = (text: string): string => text.replace("T", " ").replace("Z", "")

/** What a table of allocations shows of each. */
type Listed = Pick<Allocation, "id" | "app" | "instance" | "service" | "port" | "created_at">

const columns: ReadonlyArray<Table.Column<Listed>> = [
  { heading: "ID", cell: ({ id }) => String(id) },
  { heading: "APP", cell: ({ app }) => app, shorten: "end" },
  { heading: "INSTANCE", cell: ({ instance }) => instance, shorten: "end" },
  { heading: "SERVICE", cell: ({ service }) => service, shorten: "end" },
  { heading: "PORT", cell: ({ port }) => String(port), style: "cyan" },
  { heading: "CREATED", cell: ({ created_at }) => time(created_at), style: "dim" }
]

/** The allocations as a table, with further columns where given, or `no allocations`. */
export const table = <A extends Listed>(
  allocations: ReadonlyArray<A>,
  terminal: Terminal.Terminal,
  further: ReadonlyArray<Table.Column<A>> = []
): string =>
  allocations.length === 0 ? "no allocations" : Table.table([...columns, ...further], allocations, terminal)
