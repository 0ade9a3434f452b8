import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as SystemError from "../runtime/SystemError.ts"

/** The native module of SQLite cannot be loaded; `message` is a sentence. */
export class DriverUnusable extends Data.TaggedError("DriverUnusable")<{ readonly message: string }> {}

/** A {@link DriverUnusable} if the error is one of loading a module. */
export const toDriverUnusable = (error: unknown): DriverUnusable | undefined => {
  if (!["MODULE_NOT_FOUND", "ERR_DLOPEN_FAILED"].includes(SystemError.errorCode(error) ?? "")) return undefined
  const [reason = ""] = SystemError.errorReason(error).split("\nRequire stack")
  return new DriverUnusable({
    message: `cannot load better-sqlite3, the module that reads databases: ${reason.replace(/\s+/g, " ")} (install port-server again)`
  })
}

/** Load the driver when it is needed: `--help` works without it. */
export const load = Effect.tryPromise({
  try: () => import("@effect/sql-sqlite-node/SqliteClient"),
  catch: (error) => error
}).pipe(Effect.catchAll((error) => toDriverUnusable(error) ?? Effect.die(error)))
