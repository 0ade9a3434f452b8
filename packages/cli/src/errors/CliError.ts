import type { ServerUnreachable, UnexpectedResponse } from "@port-server/domain/api/PortServerClient"
import type {
  AllocationNotFound,
  ImportConflict,
  InvalidRequest,
  ListenersUnavailable,
  PortTaken,
  RangeExhausted,
  StorageFull,
  StorageUnavailable
} from "@port-server/domain/Errors"
import * as Data from "effect/Data"

/** The error of every command, as the command line reports it. */
export class CliError extends Data.TaggedError("CliError")<{
  readonly message: string
  /** What `--json` prints: the API's error body, or one in its form. */
  readonly body: { readonly error: string }
  /** What to do next, for a person at a terminal. */
  readonly hint: string | undefined
}> {
  /** An error that did not come from the API. */
  static make(message: string, hint?: string): CliError {
    return new CliError({ message, body: { error: message }, hint })
  }
}

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
