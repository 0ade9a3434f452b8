import * as Schema from "effect/Schema"
import { exact } from "./Allocation.ts"
import { Name } from "./Name.ts"
import { Port } from "./Port.ts"
import { ProjectPath } from "./ProjectPath.ts"
import { isTimestamp } from "./Timestamp.ts"

/**
 * An allocation in a backup. An import refuses the names that a request to allocate would be refused for. Without
 * `created_at` it is allocated as of the import; its `id` is ignored.
 */
export const BackupEntry = Schema.Struct({
  id: Schema.optionalWith(Schema.Int, { exact: true }),
  app: Name("app"),
  instance: Name("instance"),
  service: Name("service"),
  port: Schema.Int,
  created_at: Schema.optionalWith(Schema.String, { exact: true }),
  path: Schema.optionalWith(ProjectPath, { exact: true }),
  named: Schema.optionalWith(
    Schema.Boolean.annotations({
      message: () => "named must be true or false",
      description: "a project file has named the service"
    }),
    { exact: true }
  )
}).pipe(
  Schema.filter(({ created_at, named = false, path, port }) => {
    if (!Schema.is(Port)(port)) return `port ${port} is not from 1 to 65535`
    if (created_at !== undefined && !isTimestamp(created_at)) {
      return `created_at of port ${port} must be a time like 2025-02-08T15:04:05Z`
    }
    if (named && path === undefined) return `named of port ${port} needs a path, where the project file is`
    return undefined
  }),
  Schema.annotations({ identifier: "BackupEntry", ...exact })
)

/**
 * All allocations of a registry, to be kept in a file. `version` is that of this format. An import takes everything but
 * the ids: the registry that imports gives new ones.
 */
export const Backup = Schema.Struct({
  version: Schema.Literal(1).annotations({ message: () => "version must be 1, the only one that there is" }),
  allocations: Schema.Array(BackupEntry)
}).annotations({ identifier: "Backup", ...exact })
/** All allocations of a registry, to be kept in a file. */
export type Backup = typeof Backup.Type

/** {@link Backup} as the text of a file. */
export const BackupFromText = Schema.parseJson(Backup, { space: 2 })

/**
 * Which part of an import in several requests a request is. Nothing is imported until the `last` part has come, and then
 * everything or nothing.
 */
export const ImportTransaction = Schema.Struct({
  id: Schema.String.pipe(Schema.pattern(/^[\w-]{1,64}$/)).annotations({
    message: () => ({ message: "transaction.id must be 1 to 64 letters, digits, - and _", override: true })
  }),
  part: Schema.NonNegativeInt.annotations({
    message: () => ({ message: "transaction.part must be 0, 1, 2, ...", override: true })
  }),
  last: Schema.Boolean.annotations({ message: () => "transaction.last must be true or false" })
}).annotations({ identifier: "ImportTransaction", ...exact })
/** Which part of an import in several requests a request is. */
export type ImportTransaction = typeof ImportTransaction.Type

/** A backup to import; with `dry_run`, nothing is changed. */
export const ImportRequest = Schema.Struct({
  ...Backup.fields,
  transaction: Schema.optionalWith(ImportTransaction, { exact: true }),
  dry_run: Schema.optionalWith(Schema.Boolean.annotations({ message: () => "dry_run must be true or false" }), {
    exact: true
  })
}).annotations({ identifier: "ImportRequest", ...exact })
/** What is asked for when a backup is imported. */
export type ImportRequest = typeof ImportRequest.Type

/** What an import did: how many allocations are new, and how many were there already with the same owner and port. */
export const ImportResult = Schema.Struct({
  imported: Schema.NonNegativeInt,
  unchanged: Schema.NonNegativeInt
}).annotations({ identifier: "ImportResult" })
/** What an import did. */
export type ImportResult = typeof ImportResult.Type
