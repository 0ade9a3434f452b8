import * as Terminal from "@port-server/command-line/terminal/Terminal"
import * as Errors from "@port-server/domain/Errors"
import { ImportConflict } from "@port-server/domain/ImportConflict"
import { escapeJson } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CliError, type ClientError } from "../errors/CliError.ts"
import { isServerError, type ServerError, unavailable } from "../errors/ServerErrors.ts"
import { ownerAndId } from "./AllocationTable.ts"
import { hintOf } from "./Hints.ts"

const Body = Schema.Union(
  Errors.PortTaken.body,
  ImportConflict.body,
  Errors.InstanceTaken.body,
  Errors.AllocationNotFound.body,
  Errors.InvalidRequest.body,
  Errors.RangeExhausted.body,
  Errors.ListenersUnavailable.body,
  Errors.StorageFull.body,
  Errors.StorageUnavailable.body
)
const encodeBody = Schema.encodeSync(Body)

/** Messages that replace an error's own, by its tag. */
export type MessageOverrides = { readonly [Tag in ClientError["_tag"]]?: string }

/** The conflicts of an import, and how many more there are. */
const conflictsOf = ({ conflicts, total = conflicts.length }: ImportConflict): string => {
  const listed = conflicts.map(({ port, holder }) => `${port} belongs to ${ownerAndId(holder)}`).join(", ")
  return total > conflicts.length ? `${listed}, and ${total - conflicts.length} more` : listed
}

/** Any error of a command. */
type CommandError = ClientError | CliError | ServerError

const fromServerError = (error: ServerError): CliError =>
  CliError.make(error.message, error._tag === "ServerUnusable" && error.isUnreachable ? { exitCode: unavailable } : {})

const asCliError = (error: CommandError, overrides: MessageOverrides): CliError => {
  if (error._tag === "CliError") return error
  if (isServerError(error)) return fromServerError(error)
  const hint = hintOf(error)
  switch (error._tag) {
    case "PortTaken":
      return new CliError({
        message: `port ${error.holder.port} is already allocated to ${ownerAndId(error.holder)}`,
        body: encodeBody(error),
        hint
      })
    case "ImportConflict":
      return new CliError({
        message: `${error.message}: ${conflictsOf(error)}`,
        body: encodeBody(error),
        hint
      })
    case "InstanceTaken":
      return new CliError({
        message: `${error.message}; give this folder its own with --instance or PORTCTL_INSTANCE`,
        body: encodeBody(error),
        hint
      })
    case "ServerUnreachable":
      return isServerError(error.cause)
        ? CliError.make(error.cause.message, error.cause._tag === "SettingsUnusable" ? {} : { exitCode: unavailable })
        : CliError.make(`${error.message} (is it running? start it with: portctl start)`, {
            hint,
            exitCode: unavailable
          })
    case "UnexpectedResponse":
      return CliError.make(error.message, { hint })
    default:
      return new CliError({ message: overrides[error._tag] ?? error.message, body: encodeBody(error), hint })
  }
}

/** A value as JSON text that is safe to show on a terminal. */
export const jsonText = (value: unknown, indent?: number): string =>
  escapeJson(JSON.stringify(value, undefined, indent))

/** Turn the client's errors into those of the command line; nothing is printed. */
export const toCliError = <A, R>(call: Effect.Effect<A, CommandError, R>): Effect.Effect<A, CliError, R> =>
  Effect.mapError(call, (error) => asCliError(error, {}))

/**
 * Print a result: as text by `format`, or with `json` in the API's own form, in which an error is printed too.
 *
 * @param schema the success schema of the endpoint that was called
 */
export const print =
  <A, I>(schema: Schema.Schema<A, I>, options: { readonly json: boolean; readonly indent?: number }) =>
  <R, B extends A = A>(
    call: Effect.Effect<B, CommandError, R>,
    format: (result: B, terminal: Terminal.Terminal) => string,
    overrides: MessageOverrides = {}
  ): Effect.Effect<B, CliError, R> =>
    call.pipe(
      Effect.mapError((error) => asCliError(error, overrides)),
      Effect.tapError(({ body }) => (options.json ? Console.log(jsonText(body)) : Effect.void)),
      Effect.tap((value) =>
        options.json
          ? Console.log(jsonText(Schema.encodeSync(schema)(value), options.indent))
          : Effect.flatMap(Terminal.stdout, (terminal) => Console.log(format(value, terminal)))
      )
    )
