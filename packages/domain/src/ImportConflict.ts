import * as Data from "effect/Data"
import * as Schema from "effect/Schema"
import { Allocation } from "./Allocation.ts"
import { BackupEntry } from "./Backup.ts"
import { sentence, wire } from "./ErrorBody.ts"

/** A port of a backup that belongs to another owner already. */
export const Conflict = Schema.Struct({ port: Schema.Int, wanted: BackupEntry, holder: Allocation }).annotations({
  identifier: "Conflict"
})

/** 409: ports of the backup belong to other owners; nothing was imported. */
export class ImportConflict extends Data.TaggedError("ImportConflict")<{
  readonly conflicts: readonly [typeof Conflict.Type, ...Array<typeof Conflict.Type>]
  /** How many there are, where not all of them are in `conflicts`. */
  readonly total?: number
}> {
  override get message(): string {
    return `${this.total ?? this.conflicts.length} port(s) already allocated, nothing was imported`
  }

  static readonly body = Schema.transform(
    Schema.Struct({
      error: sentence,
      conflicts: Schema.NonEmptyArray(Conflict),
      total: Schema.optionalWith(Schema.NonNegativeInt, { exact: true })
    }),
    Schema.instanceOf(ImportConflict),
    {
      strict: true,
      decode: ({ error, ...fields }) => new ImportConflict(fields),
      encode: ({ conflicts, message, total }) => ({
        error: message,
        conflicts,
        ...(total === undefined ? {} : { total })
      })
    }
  ).annotations(wire(409, "ImportConflict"))
}
