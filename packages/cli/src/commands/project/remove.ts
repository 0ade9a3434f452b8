import * as Argument from "@port-server/command-line/command/Argument"
import * as Command from "@port-server/command-line/command/Command"
import * as Parameter from "@port-server/command-line/command/Parameter"
import { shellWord } from "@port-server/command-line/command/ShellWord"
import { namesOf } from "@port-server/domain/Block"
import { projectFileName } from "@port-server/domain/Defaults"
import { escapeControls } from "@port-server/domain/Name"
import { namesIn } from "@port-server/domain/Placeholders"
import type { ProjectFile } from "@port-server/domain/ProjectFile"
import { servicesByName } from "@port-server/domain/ServiceSettings"
import * as Effect from "effect/Effect"
import { CliError } from "../../errors/CliError.ts"
import * as Output from "../../output/Output.ts"
import { edit } from "../../project/ProjectFileEditor.ts"
import * as Options from "../Options.ts"
import * as SchemaOptions from "../SchemaOptions.ts"
import { Changed, fileToChange } from "./add.ts"

/** A variable whose value has the port of one of the services, and that one. */
const variableOf = ({ services, variables = {} }: ProjectFile, service: ReadonlyArray<string>) => {
  for (const removed of service) {
    for (const [name, template] of Object.entries(variables)) {
      const [used] = namesIn(template, namesOf(removed, services[removed]))
      if (used !== undefined) return { name, removed: escapeControls(removed), used: escapeControls(used) }
    }
  }
  return undefined
}

/** `portctl remove` */
export const remove = Command.make(
  "remove",
  {
    summary: `Remove services from ${projectFileName}`,
    details: [
      "The rest of the file stays as it is. Their ports stay allocated until portctl release --here --service NAME."
    ],
    examples: ["portctl remove db"],
    parameters: {
      service: Argument.list({ name: "SERVICE", description: "The services", completes: "service" }).pipe(
        SchemaOptions.splitAtCommas,
        Parameter.withSchema(SchemaOptions.Names)
      ),
      json: Options.json
    }
  },
  Effect.fnUntraced(function* ({ json, service }) {
    const removing = Effect.gen(function* () {
      const project = yield* fileToChange
      const unknown = service.find((name) => !Object.hasOwn(project.contents.services, name))
      if (unknown !== undefined) {
        const block = servicesByName(project.contents.services).get(unknown)
        const hint = block === undefined ? "" : `, but the block ${escapeControls(block)} that it is a port of`
        return yield* CliError.make(`${project.file} has no service ${escapeControls(unknown)}${hint}`)
      }
      const using = variableOf(project.contents, service)
      if (using !== undefined) {
        const { name, removed, used } = using
        return yield* CliError.make(
          `${project.file}: variables.${name} uses {${used}}; change it before ${removed} is removed`
        )
      }
      const contents = yield* edit(
        project,
        [...new Set(service)].map((name) => ({ path: ["services", name], value: undefined }))
      )
      return { file: project.file, changed: [...new Set(service)], contents }
    }).pipe(Effect.scoped)
    yield* Output.print(Changed, { json, indent: 2 })(removing, ({ changed, file }) =>
      escapeControls(
        `removed ${changed.join(", ")} from ${file}; portctl release --here --service ${shellWord(changed.join(","))} gives back ${changed.length === 1 ? "its port" : "their ports"}`
      )
    )
  })
)
