import { readFile } from "node:fs/promises"
import * as Argument from "@port-server/command-line/command/Argument"
import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { BackupFromText, ImportResult } from "@port-server/domain/Backup"
import { InvalidRequest } from "@port-server/domain/CommonErrors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { importInParts } from "../../client/ImportParts.ts"
import { CliError } from "../../errors/CliError.ts"
import { cannotRead } from "../../errors/FileError.ts"
import * as Output from "../../output/Output.ts"
import * as Progress from "../../output/Progress.ts"
import * as Options from "../Options.ts"

const decode = Schema.decode(BackupFromText)

const byteOrderMark = /^\uFEFF/

const standardInput = async (): Promise<string> => {
  let text = ""
  for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk
  return text
}

const backupIn = Effect.fnUntraced(function* (file: string) {
  // The platform's file system loads Node's crypto, which would cost every other command 3 ms.
  const text = yield* Effect.tryPromise({
    try: () => (file === "-" ? standardInput() : readFile(file, "utf8")),
    catch: (error) => CliError.make(cannotRead(file, error))
  })
  const name = file === "-" ? "the standard input" : file
  return yield* Effect.mapError(decode(text.replace(byteOrderMark, "")), (error) =>
    CliError.make(`${name} is not a backup of portctl export: ${InvalidRequest.fromParseError(error).message}`)
  )
})

/** `portctl import` */
export const importAll = Command.make(
  "import",
  {
    summary: "Allocate everything in a backup",
    details: ["If a port belongs to another owner, nothing is allocated, and such ports are listed."],
    examples: ["portctl import ports.json --dry-run", "ssh laptop portctl export | portctl import -"],
    parameters: {
      file: Argument.text({
        name: "FILE",
        description: "What portctl export printed; - for the standard input",
        kind: { _tag: "File" }
      }),
      dryRun: Flag.boolean("dry-run", "Show what would happen, and change nothing"),
      json: Options.json
    }
  },
  Effect.fnUntraced(function* ({ dryRun, file, json }) {
    const client = yield* PortServerClient
    const importing = Effect.gen(function* () {
      const backup = yield* backupIn(file)
      const progress = yield* Progress.show("importing", backup.allocations.length)
      return yield* importInParts(client, backup, dryRun, progress)
    })
    yield* Output.print(ImportResult, { json })(Effect.scoped(importing), ({ imported, unchanged }) =>
      dryRun
        ? `would import ${imported} allocation(s), ${unchanged} unchanged`
        : `imported ${imported} allocation(s), ${unchanged} unchanged`
    )
  })
)
