import { join, relative } from "node:path"
import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { askedTwice } from "@port-server/domain/Block"
import { InvalidRequest } from "@port-server/domain/CommonErrors"
import { projectFileName } from "@port-server/domain/Defaults"
import type { RequestedService } from "@port-server/domain/Ensure"
import { escapeControls } from "@port-server/domain/Name"
import { ProjectFile, projectFileSchemaUrl } from "@port-server/domain/ProjectFile"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import { servicesIn } from "../../compose/ComposeServices.ts"
import { CliError } from "../../errors/CliError.ts"
import { cannotWrite, codeOf } from "../../errors/FileError.ts"
import * as Output from "../../output/Output.ts"
import * as AtomicFile from "../../platform/AtomicFile.ts"
import * as GitLocation from "../../project/GitLocation.ts"
import { problemOf, settings } from "../../project/NewService.ts"
import { instanceLabel } from "../../project/PlaceNotes.ts"
import { currentFolder, here } from "../../project/ProjectContext.ts"
import { knownPlace } from "../../project/ProjectPorts.ts"
import { isUnused } from "../../server/EffectiveSettings.ts"
import * as Options from "../Options.ts"
import * as SchemaOptions from "../SchemaOptions.ts"

/**
 * What was written; the place where it counts, unless only the server knows it and none responds, or that is beside the
 * worktrees of a bare repository.
 */
const Written = Schema.Struct({
  place: Schema.optional(Schema.Struct({ app: Schema.String, instance: Schema.String })),
  file: Schema.String,
  contents: ProjectFile
})

/** The folder that a new project file belongs in: the current one, or the top of the worktree. */
const home = Effect.fnUntraced(function* (atTop: boolean) {
  const cwd = yield* currentFolder
  const git = yield* GitLocation.of(cwd)
  if (git._tag === "Refused") return yield* CliError.make(`${git.reason}; ${git.remedy} first`)
  if (git._tag === "Repository" && !relative(git.repository, cwd).startsWith("..")) {
    return yield* CliError.make(`${git.reason}; go to one first`)
  }
  return atTop && "folder" in git ? (git.folder ?? cwd) : cwd
})

const write = (file: string, contents: ProjectFile) =>
  Effect.try({
    try: () => AtomicFile.create(file, Buffer.from(`${JSON.stringify(contents, undefined, 2)}\n`)),
    catch: (error) =>
      CliError.make(
        codeOf(error) === "EEXIST"
          ? `${file} is there already; portctl add adds services to it`
          : cannotWrite(file, error)
      )
  })

/** The services of the Compose file, or else `web`. */
const usualServices = Effect.fnUntraced(function* (folder: string) {
  const found = yield* servicesIn(folder, Record.filter(process.env, Predicate.isNotUndefined))
  const usual: ReadonlyArray<RequestedService> = found.length === 0 ? [{ service: "web" }] : found
  return usual
})

const blockOf = ({ size = 1 }: RequestedService & { readonly size?: number }) => (size > 1 ? { size } : {})

/** `portctl init` */
export const init = Command.make(
  "init",
  {
    summary: `Write a ${projectFileName} that says which services this project has`,
    details: [
      "It is written to the current folder. Below the top of a worktree, that makes the folder a project of its own, such as shop:packages:api. If the folder has a Compose file, the services are those that publish ports."
    ],
    examples: ["portctl init --service web,db", "portctl init --root"],
    parameters: {
      app: SchemaOptions.contextFlags.app,
      service: SchemaOptions.newServices,
      root: Flag.boolean("root", "Write it at the top of the worktree"),
      json: Options.json
    }
  },
  Effect.fnUntraced(function* ({ app, json, root, service }) {
    const writing = Effect.gen(function* () {
      const folder = yield* home(root)
      const asked = service.length > 0 ? service : yield* usualServices(folder)
      const wanted = {
        $schema: projectFileSchemaUrl,
        ...Option.match(app, { onNone: () => ({}), onSome: (name) => ({ app: name }) }),
        services: Object.fromEntries(asked.map((each) => [each.service, settings(each, blockOf(each))]))
      }
      const problem = problemOf(asked)
      if (problem !== undefined) return yield* CliError.make(problem)
      // Two services of a Compose file may publish the same port at two addresses.
      const twice = askedTwice(asked.map(({ port, service }) => ({ port, service })))
      if (twice !== undefined) return yield* CliError.make(twice)
      const file = join(folder, projectFileName)
      const contents = yield* Effect.mapError(Schema.decode(ProjectFile)(wanted), InvalidRequest.fromParseError)
      yield* write(file, contents)
      const found = yield* Effect.option(here({ app, instance: Option.none() }))
      // What the folder says is not what the server gives to a second clone, or gave to this one before.
      const known = Option.isSome(found) ? yield* knownPlace(found.value) : found
      const place = Option.isNone(known) && (yield* isUnused) ? found : known
      return { place: Option.getOrUndefined(place), file, contents }
    })
    yield* Output.print(Written, { json, indent: 2 })(writing, ({ contents, file, place }) => {
      const named = Object.entries(contents.services).map(
        ([name, { env = [] }]) => `${name} (${[env].flat().join(", ")})`
      )
      return escapeControls(
        `wrote ${file}${place === undefined ? "" : ` for ${instanceLabel(place)}`}: ${named.join(", ")}`
      )
    })
  })
)
