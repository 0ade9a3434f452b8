import * as Schema from "effect/Schema"
import { Allocation } from "./Allocation.ts"
import { isWellFormed } from "./Name.ts"
import { Port } from "./Port.ts"

const savedTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

const isTime = (text: string) =>
  savedTime.test(text) && !Number.isNaN(Date.parse(text)) && new Date(text).toISOString().startsWith(text.slice(0, 19))

/**
 * An allocation in a backup. Its names are as wide as what a registry may hold, because another program may have stored
 * what no request would get through. Without `created_at` it is allocated as of the import; its `id` says nothing.
 */
export const BackupEntry = Schema.Struct({
  ...Allocation.fields,
  id: Schema.optionalWith(Schema.Int, { exact: true }),
  created_at: Schema.optionalWith(Schema.String, { exact: true })
}).pipe(
  Schema.filter(({ app, created_at, instance, port, service }) => {
    if (![app, instance, service].every(isWellFormed)) return "names must be valid Unicode text"
    if (!Schema.is(Port)(port)) return `port ${port} is not from 1 to 65535`
    if (created_at !== undefined && !isTime(created_at)) {
      return `created_at of port ${port} must be a time like 2025-02-08T15:04:05Z`
    }
    return undefined
  }),
  Schema.annotations({ identifier: "BackupEntry" })
)

/**
 * All allocations of a registry, to be kept in a file. `version` is that of this format. An import takes everything but
 * the ids, which the registry that imports gives anew.
 */
export const Backup = Schema.Struct({
  version: Schema.Literal(1).annotations({ message: () => "version must be 1, the only one that there is" }),
  allocations: Schema.Array(BackupEntry)
}).annotations({ identifier: "Backup", parseOptions: { onExcessProperty: "error" } })
/** All allocations of a registry, to be kept in a file. */
export type Backup = typeof Backup.Type

/** {@link Backup} as the text of a file. */
export const BackupFromText = Schema.parseJson(Backup, { space: 2 })

/** What is asked for when a backup is imported; with `dry_run`, only what would happen is answered. */
export const ImportRequest = Schema.Struct({
  ...Backup.fields,
  dry_run: Schema.optionalWith(Schema.Boolean.annotations({ message: () => "dry_run must be true or false" }), {
    exact: true
  })
}).annotations({ identifier: "ImportRequest", parseOptions: { onExcessProperty: "error" } })
/** What is asked for when a backup is imported. */
export type ImportRequest = typeof ImportRequest.Type

/** What an import did: how many allocations are new, and how many were there already with the same owner and port. */
export const ImportResult = Schema.Struct({
  imported: Schema.NonNegativeInt,
  unchanged: Schema.NonNegativeInt
}).annotations({ identifier: "ImportResult" })
/** What an import did. */
export type ImportResult = typeof ImportResult.Type
