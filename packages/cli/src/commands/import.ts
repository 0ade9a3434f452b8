import * as NodeFs from "node:fs"
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { BackupFromText, Imported } from "@port-server/domain/Backup"
import { InvalidRequest } from "@port-server/domain/Errors"
import { PortServerClient } from "@port-server/domain/PortServerClient"
import { describe } from "@port-server/program/Description"
import * as Flag from "@port-server/program/Flag"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Flags from "../Flags.ts"
import * as Output from "../Output.ts"

const decode = Schema.decode(BackupFromText)

const backupIn = Effect.fnUntraced(function* (file: string) {
  const failed = (message: string) => new Output.Failure({ message, body: { error: message } })
  // The platform's file system loads Node's crypto, which would cost every other command 3 ms.
  const text = yield* Effect.tryPromise({
    try: () => NodeFs.promises.readFile(file === "-" ? "/dev/stdin" : file, "utf8"),
    catch: () => failed(`cannot read ${file}`)
  })
  return yield* Effect.mapError(decode(text), (error) =>
    failed(`${file} is not a backup of portctl export: ${InvalidRequest.fromParseError(error).message}`)
  )
})

/** `portctl import` */
export const importAll = Command.make(
  "import",
  {
    file: Args.text({ name: "FILE" }),
    dryRun: Flag.boolean("dry-run", "Say what would happen, and change nothing"),
    json: Flags.json
  },
  Effect.fnUntraced(function* ({ dryRun, file, json }) {
    const backup = yield* backupIn(file)
    const client = yield* PortServerClient
    yield* Output.answer(Imported, { json })(
      client.import({ ...backup, dry_run: dryRun }),
      ({ imported, unchanged }) =>
        dryRun
          ? `would import ${imported} allocation(s), ${unchanged} unchanged`
          : `imported ${imported} allocation(s), ${unchanged} unchanged`
    )
  })
).pipe(
  describe(
    "Allocate everything in a backup (- reads stdin), all of it or, on a conflict, nothing",
    "portctl import ports.json --dry-run"
  )
)
