import type { ServerUnreachable, UnexpectedResponse } from "@port-server/domain/api/ClientErrors"
import type * as Errors from "@port-server/domain/Errors"
import type { ImportConflict } from "@port-server/domain/ImportConflict"
import * as Data from "effect/Data"

/** The error of every command, as the command line reports it. */
export class CliError extends Data.TaggedError("CliError")<{
  readonly message: string
  /** What `--json` prints: the API's error body, or one in its form. */
  readonly body: { readonly error: string }
  /** What to do next, for a person at a terminal. */
  readonly hint?: string | undefined
  /** The exit status, where it is not 1. */
  readonly exitCode?: number
}> {
  /** An error that did not come from the API. */
  static make(
    message: string,
    details: { readonly hint?: string | undefined; readonly exitCode?: number } = {}
  ): CliError {
    return new CliError({ message, body: { error: message }, ...details })
  }
}

/** What any call of the client can fail with. */
export type ClientError =
  | Errors.AllocationNotFound
  | ImportConflict
  | Errors.InstanceTaken
  | Errors.InvalidRequest
  | Errors.ListenersUnavailable
  | Errors.PortTaken
  | Errors.RangeExhausted
  | ServerUnreachable
  | Errors.StorageFull
  | Errors.StorageUnavailable
  | UnexpectedResponse
