import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { connectForInspection, toDatabaseUnusable } from "./Database.ts"
import { inspect, unusable } from "./DatabaseFile.ts"
import { isOutdated } from "./Migrations.ts"
import { query } from "./Query.ts"

const findings = query(Schema.Struct({ integrity_check: Schema.String }))
const counts = query(Schema.Struct({ count: Schema.Int }))

/**
 * Run SQLite's own integrity check (https://sqlite.org/pragma.html#pragma_integrity_check) on a database that may be in
 * use, without changing it; the result is a sentence. Fails with `DatabaseUnusable` and what is wrong.
 */
export const integrityCheck = Effect.fnUntraced(function* (filename: string) {
  if (!(yield* inspect(filename))) return yield* unusable(filename, "there is no such file")
  return yield* Effect.gen(function* () {
    const connection = yield* connectForInspection(filename)
    const outdated = yield* isOutdated(connection)
    const [first, ...others] = yield* findings(connection, "PRAGMA integrity_check")
    if (first?.integrity_check !== "ok") {
      const more = others.length === 0 ? "" : ` (and ${others.length} more)`
      return yield* unusable(filename, `it is damaged: ${first?.integrity_check}${more}`)
    }
    const [row] = outdated ? [{ count: 0 }] : yield* counts(connection, "SELECT count(*) AS count FROM allocations")
    return `the database ${filename} is sound: ${row?.count ?? 0} allocation(s)`
  }).pipe(Effect.mapError(toDatabaseUnusable(filename)), Effect.scoped)
})
