import { createHash } from "node:crypto"
import { realpathSync } from "node:fs"
import * as Argument from "@port-server/command-line/command/Argument"
import * as Command from "@port-server/command-line/command/Command"
import * as Parameter from "@port-server/command-line/command/Parameter"
import { shellWord } from "@port-server/command-line/command/ShellWord"
import { projectFileName } from "@port-server/domain/Defaults"
import { escapeControls } from "@port-server/domain/Name"
import { ProjectFile } from "@port-server/domain/ProjectFile"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import { CliError } from "../../errors/CliError.ts"
import { cannotRead } from "../../errors/FileError.ts"
import * as Output from "../../output/Output.ts"
import type { Change } from "../../platform/JsonText.ts"
import * as ProcessLock from "../../platform/ProcessLock.ts"
import { problemOf, settings } from "../../project/NewService.ts"
import { located } from "../../project/ProjectContext.ts"
import { edit } from "../../project/ProjectFileEditor.ts"
import * as ProjectFileLoader from "../../project/ProjectFileLoader.ts"
import { refuseLedAway } from "../../project/RepositoryLinks.ts"
import * as Options from "../Options.ts"
import * as SchemaOptions from "../SchemaOptions.ts"

/** A project file that was changed. */
export const Changed = Schema.Struct({
  file: Schema.String,
  changed: Schema.Array(Schema.String),
  contents: ProjectFile
})

/**
 * The project file of the current folder, which must have one that is not a repository's way out of it. Until the scope
 * ends, no other `add` or `remove` changes it.
 */
export const fileToChange = Effect.gen(function* () {
  const { cwd, project, top } = yield* located
  const missing = CliError.make(`there is no ${projectFileName} for ${cwd}; portctl init writes one`)
  if (project === undefined) return yield* missing
  const { file, folder } = project
  yield* refuseLedAway(file, top)
  // By links, it can be the project file of several folders.
  const real = yield* Effect.try({
    try: () => realpathSync(file),
    catch: (error) => CliError.make(cannotRead(file, error))
  })
  const name = createHash("sha256").update(real).digest("hex")
  yield* ProcessLock.hold(`${projectFileName}-${name}`, "10 seconds", () =>
    CliError.make(`another portctl is changing ${file}`)
  )
  // As the one before has left it.
  return (yield* ProjectFileLoader.find(folder, top ?? cwd, folder)) ?? (yield* missing)
})

/** The same, with those of the services that were not in it. */
const Added = Schema.Struct({ ...Changed.fields, added: Schema.Array(Schema.String) })

const sentence = ({ added, changed, file }: typeof Added.Type): string => {
  const altered = changed.filter((name) => !added.includes(name))
  const lines = [
    ...(added.length === 0 ? [] : [`added ${added.join(", ")} to ${file}`]),
    ...(altered.length === 0
      ? []
      : [
          `changed ${altered.join(", ")} in ${file}; a port that is allocated already stays until portctl release --here --service ${shellWord(altered.join(","))}`
        ])
  ]
  return (lines.length === 0 ? [`${file} needs no change`] : lines).map(escapeControls).join("\n")
}

/** `portctl add` */
export const add = Command.make(
  "add",
  {
    summary: `Add services to ${projectFileName}`,
    details: [
      "The rest of the file stays as it is. A service that is in it prefers the port that is given from then on; a port that it has already stays until portctl release --here --service NAME."
    ],
    examples: ["portctl add web=3000 db", "portctl add --size 8 workers"],
    parameters: {
      service: Argument.list({
        name: "SERVICE[=PORT]",
        description: "The services, with the ports that they prefer",
        completes: "service"
      }).pipe(SchemaOptions.splitAtCommas, Parameter.withSchema(SchemaOptions.ServicesFromText)),
      size: SchemaOptions.size,
      json: Options.json
    }
  },
  Effect.fnUntraced(function* ({ json, service, size }) {
    const adding = Effect.gen(function* () {
      const project = yield* fileToChange
      const known = project.contents.services
      const problem = problemOf(service.filter((each) => !Object.hasOwn(known, each.service)))
      if (problem !== undefined) return yield* CliError.make(problem)
      const block = Option.match(size, { onNone: () => ({}), onSome: (size) => ({ size }) })
      const changes = service.flatMap((each): ReadonlyArray<Change> => {
        const before = Option.getOrUndefined(Record.get(known, each.service))
        if (before === undefined) return [{ path: ["services", each.service], value: settings(each, block) }]
        const after = { ...before, ...block, ...(each.port ? { prefer: each.port } : {}) }
        return (["prefer", "size"] as const)
          .filter((field) => after[field] !== before[field])
          .map((field) => ({ path: ["services", each.service, field], value: after[field] }))
      })
      const contents = yield* edit(project, changes)
      const changed = [...new Set(changes.map(({ path }) => path[1] ?? ""))]
      const added = changed.filter((name) => !Object.hasOwn(known, name))
      return { file: project.file, changed, added, contents }
    }).pipe(Effect.scoped)
    yield* Output.print(Added, { json, indent: 2 })(adding, sentence)
  })
)
