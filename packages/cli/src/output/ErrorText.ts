import type { ServerUnreachable } from "@port-server/domain/api/ClientErrors"
import * as Errors from "@port-server/domain/Errors"
import { ImportConflict } from "@port-server/domain/ImportConflict"
import { isServerHost } from "@port-server/domain/Loopback"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { CliError, type ClientError } from "../errors/CliError.ts"
import { isServerError, type ServerError, unavailable } from "../errors/ServerErrors.ts"
import * as User from "../platform/User.ts"
import { ownerAndId } from "./AllocationTable.ts"
import { hintOf } from "./Hints.ts"

/** Messages that replace an error's own, by its tag. */
export type MessageOverrides = { readonly [Tag in ClientError["_tag"]]?: string }

/** Any error of a command. */
export type CommandError = ClientError | CliError | ServerError

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

/** The conflicts of an import, and how many more there are. */
const conflictsOf = ({ conflicts, total = conflicts.length }: ImportConflict): string => {
  const listed = conflicts.map(({ port, holder }) => `${port} belongs to ${ownerAndId(holder)}`).join(", ")
  return total > conflicts.length ? `${listed}, and ${total - conflicts.length} more` : listed
}

const fromServerError = (error: ServerError): CliError =>
  CliError.make(error.message, error._tag === "ServerUnusable" && error.isUnreachable ? { exitCode: unavailable } : {})

/** What to do about a server that cannot be reached. One that has a socket here, or another host, is started elsewhere. */
const advice = ({ address, cause, isCutOff, isDefault }: ServerUnreachable): string => {
  if (isCutOff || Predicate.isTagged(cause, "TokenUnusable")) return ""
  if (address.startsWith("unix:")) return " (is it running, and is the socket of the running one mounted here?)"
  if (!isServerHost(address.replace(/:\d+$/, ""))) return " (is it running?)"
  const isRefused = User.sudoUid !== undefined && isDefault
  return ` (is it running? start it with: portctl start${isRefused ? ", without sudo" : ""})`
}

const doubt = ({ mayHaveChanged }: { readonly mayHaveChanged: boolean }): string =>
  mayHaveChanged ? "; the change may have been made, see portctl list" : ""

/** An error of a command as the command line tells it. */
export const asCliError = (error: CommandError, overrides: MessageOverrides): CliError => {
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
        : CliError.make(`${error.message}${advice(error)}${doubt(error)}`, { hint, exitCode: unavailable })
    case "UnexpectedResponse":
      return CliError.make(`${error.message}${doubt(error)}`, {
        hint,
        ...(error.isForeign ? { exitCode: unavailable } : {})
      })
    default:
      return new CliError({ message: overrides[error._tag] ?? error.message, body: encodeBody(error), hint })
  }
}
