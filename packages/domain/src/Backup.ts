import * as Schema from "effect/Schema"
import { Allocation, wellFormed } from "./Allocation.ts"

const Saved = Allocation.pipe(
  Schema.filter(
    ({ app, instance, service }) => [app, instance, service].every(wellFormed) || "names must be valid Unicode text"
  )
)

/**
 * All allocations of a registry, to be kept in a file. `version` is that of this format. An import takes everything but
 * the ids, which the registry that imports gives anew.
 */
export const Backup = Schema.Struct({
  version: Schema.Literal(1).annotations({ message: () => "version must be 1, the only one that there is" }),
  allocations: Schema.Array(Saved)
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
export const Imported = Schema.Struct({
  imported: Schema.NonNegativeInt,
  unchanged: Schema.NonNegativeInt
}).annotations({ identifier: "Imported" })
/** What an import did. */
export type Imported = typeof Imported.Type
