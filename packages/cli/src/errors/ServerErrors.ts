import * as Data from "effect/Data"

type Message = { readonly message: string }

/** The exit status where no port-server can be reached: EX_UNAVAILABLE of sysexits.h. */
export const unavailable = 69

/** The settings in `config.json` cannot be read or written; nothing was changed. */
export class SettingsUnusable extends Data.TaggedError("SettingsUnusable")<Message> {}

/** The address is not one where this portctl starts and stops servers. */
export class NotLocal extends Data.TaggedError("NotLocal")<Message> {}

/** What responds at the address is not a port-server that can be used. */
export class ServerUnusable extends Data.TaggedError("ServerUnusable")<
  Message & { readonly isUnreachable?: boolean }
> {}

/** No server could be started as requested. */
export class ServerNotStarted extends Data.TaggedError("ServerNotStarted")<Message> {}

/** The server could not be stopped. */
export class ServerNotStopped extends Data.TaggedError("ServerNotStopped")<Message> {}

/** The service manager, or its file, could not be changed. */
export class ServiceNotChanged extends Data.TaggedError("ServiceNotChanged")<Message> {}

/** Why a server of this machine could not be started, stopped or used. */
export type ServerError =
  | SettingsUnusable
  | NotLocal
  | ServerUnusable
  | ServerNotStarted
  | ServerNotStopped
  | ServiceNotChanged

const classes = [SettingsUnusable, NotLocal, ServerUnusable, ServerNotStarted, ServerNotStopped, ServiceNotChanged]

/** Whether a failure is a {@link ServerError}. */
export const isServerError = (error: unknown): error is ServerError => classes.some((each) => error instanceof each)
