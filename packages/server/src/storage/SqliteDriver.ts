import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as SystemError from "../runtime/SystemError.ts"

/** SQLite's native module cannot be loaded, whatever the database; `message` is a sentence. */
export class DriverUnusable extends Data.TaggedError("DriverUnusable")<{ readonly message: string }> {}

/** {@link DriverUnusable} for an error of loading a module; none for another error. */
export const toDriverUnusable = (error: unknown): DriverUnusable | undefined => {
  if (!["MODULE_NOT_FOUND", "ERR_DLOPEN_FAILED"].includes(SystemError.errorCode(error) ?? "")) return undefined
  const [reason = ""] = SystemError.errorReason(error).split("\nRequire stack")
  return new DriverUnusable({
    message: `cannot load better-sqlite3, the module that reads databases: ${reason.replace(/\s+/g, " ")} (install port-server again)`
  })
}

/** The driver, loaded when it is needed: what needs no database does not fail without it. */
export const load = Effect.tryPromise({
  try: () => import("@effect/sql-sqlite-node/SqliteClient"),
  catch: (error) => error
}).pipe(Effect.catchAll((error) => toDriverUnusable(error) ?? Effect.die(error)))
