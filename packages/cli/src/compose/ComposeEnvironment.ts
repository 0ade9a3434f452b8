import { dirname } from "node:path"
import { headOf } from "@port-server/domain/Block"
import { escapeControls } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { CliError } from "../errors/CliError.ts"
import { serviceStates } from "../project/PortStates.ts"
import type { Here } from "../project/ProjectContext.ts"
import { heldPorts, settingsOf } from "../project/ProjectPorts.ts"
import { parse } from "./ComposeArguments.ts"
import * as ComposeFiles from "./ComposeFiles.ts"
import { isInCopyOf } from "./ComposePlace.ts"
import * as ComposeProjects from "./ComposeProjects.ts"
import { projectsOfContainers } from "./ContainerProjects.ts"
import * as MovedProject from "./MovedProject.ts"
import { folderName, isOthers } from "./ProjectName.ts"

/** The variable that gives Compose the name of a project. */
export const nameVariable = "COMPOSE_PROJECT_NAME"

type Environment = Readonly<Record<string, string>>

/** The project's name in the environment. */
export interface SaidName {
  /** The environment without a name that is not the user's. */
  readonly env: Environment
  /** The name that the user has set, if any. */
  readonly name: string | undefined
  readonly notes: ReadonlyArray<string>
}

/** Tell a name that the user has set from one that portctl or another working copy's set-up has left there. */
export const saidName = (env: Environment, folder: string, known = ComposeProjects.seenFrom(folder)): SaidName => {
  const { [nameVariable]: name = "", ...rest } = env
  if (name === "") return { env: rest, name: undefined, notes: [] }
  // One that portctl gave to a folder is nobody's choice, also once that is gone.
  const wasGiven = known.some((each) => each.name === name && each.folder !== folder && !each.isSaid)
  if (wasGiven || isOthers(name, folder, known)) {
    const owner = known.find((each) => each.name === name)?.folder ?? ""
    return {
      env: rest,
      name: undefined,
      notes: [`note: ${nameVariable} was set to ${name}, the project of ${owner}, and is replaced`]
    }
  }
  const isOwn = known.some((each) => each.name === name && each.folder === folder && !each.isSaid)
  return isOwn ? { env: rest, name: undefined, notes: [] } : { env, name, notes: [] }
}

/** The same for a folder without a Compose file, in which Compose knows containers by the name alone. */
export const nameOfOthers = (env: Environment, folder: string): SaidName => {
  const known = ComposeProjects.seenFrom(folder)
  const said = saidName(env, folder, known)
  const isOwn = ({ copy, name }: ComposeProjects.ComposeProject) =>
    name === env[nameVariable] && isInCopyOf({ folder: copy, top: copy }, folder)
  // What a folder that is gone has left is ended by its name.
  const isTheirs = isOthers(env[nameVariable] ?? "", folder, known) && !known.some(isOwn)
  return isTheirs ? said : { ...said, env, notes: [] }
}

/** The top folder of a working copy. */
const topOf = ({ folder, top = folder }: Here): string => top

/** The working copy of a Compose project: its folder and its git directory. */
export const copyOf = (here: Here) => ({ copy: topOf(here), gitDir: here.workingCopy.git_dir ?? "" })

/** Whether what begins at the left of each line can be told without a reader of YAML: a key, a dash, or an end. */
const isPlain = (text: string): boolean =>
  text.split("\n").every((line) => /^(?:[ \t\r#\]}]|- |-$|---\s*$|[\w.-]+:|$)/.test(line))

const JsonName = Schema.parseJson(Schema.Struct({ name: Schema.optional(Schema.String) }))

/** The name that a Compose file has, if any; nothing where that cannot be told. */
const nameOf = (text: string): Option.Option<string | undefined> => {
  if (text.startsWith("{")) return Option.map(Schema.decodeOption(JsonName)(text), ({ name }) => name)
  if (!isPlain(text)) return Option.none()
  const [, last] = [...text.matchAll(/^name:[ \t]*(.*)$/gm)].at(-1) ?? []
  if (last === undefined) return Option.some(undefined)
  const [, double, single, plain] = /^(?:"([^"]*)"|'([^']*)'|([^\s#"']\S*))\s*(?:\s#.*)?$/.exec(last) ?? []
  return Option.some(double ?? single ?? plain ?? "")
}

/** The name that Compose gives the project of files in a folder, where it is plain text in them. */
const nameIn = (texts: ReadonlyArray<string>, folder: string, app: string): string | undefined => {
  const names = Option.getOrElse(Option.all(texts.map(nameOf)), () => [""])
  const name = names.findLast((each) => each !== undefined) ?? folderName(folder, app)
  return /^[a-z0-9][-_a-z0-9]*$/.test(name) ? name : undefined
}

/** Note why the name of a project is not kept; it is told all the same, for a sandbox's home is often read-only. */
export const noteNotKept = ({ message }: CliError): Effect.Effect<void> =>
  Console.error(`note: the name of this Compose project cannot be kept: ${escapeControls(message)}`)

/** The Compose project of a folder, where the working copy has a Compose file for it; without asking Compose. */
export const projectOf = Effect.fnUntraced(function* (
  here: Here,
  { app, instance }: { readonly app: string; readonly instance: string },
  env: Environment
) {
  const paths = ComposeFiles.findDefault(ComposeFiles.currentFolder(env))
  const [main = ""] = paths
  const place = dirname(main)
  const folder = ComposeProjects.realPath(place)
  if (main === "" || !isInCopyOf(here, folder)) return undefined
  const isSteered =
    saidName(env, folder).name !== undefined ||
    Boolean(env["COMPOSE_FILE"]) ||
    [nameVariable, "COMPOSE_FILE"].some((name) => ComposeFiles.setsInEnvFile(parse([]), folder, env, name))
  const told = isSteered ? undefined : nameIn(ComposeFiles.textsOf({ paths }), place, app)
  // Where only Compose can tell, it is what it was in the last run.
  const last = told === undefined ? ComposeProjects.lastOf(folder) : undefined
  const given = told ?? (last && MovedProject.givenIn(last, folder))
  if (given === undefined) return undefined
  const unnamed = { folder, ...copyOf(here), app, instance, given, isSaid: false, isInEnvFile: false }
  const claim = (isDryRun: boolean) => ComposeProjects.claim(unnamed, projectsOfContainers, "", isDryRun)
  return yield* Effect.catchAll(claim(false), (error) => Effect.zipRight(noteNotKept(error), claim(true)))
})

/** The services of the registry that Compose projects of a working copy have, as far as they hold ports. */
export const heldServices = Effect.fnUntraced(function* (here: Here, known: ReadonlyArray<string>) {
  const copy = topOf(here)
  const names = ComposeProjects.seenIn([copy]).flatMap((each) => (each.copy === copy ? each.services : []))
  const more = [...new Set(names)].filter((name) => !known.includes(name))
  if (more.length === 0) return []
  const { allocations } = yield* heldPorts(here)
  // The further ports of a block are told, too: no project file says how many it has.
  return more.flatMap((name) => allocations.flatMap(({ service }) => (headOf(service) === name ? [{ service }] : [])))
})

/** The services of the project file and of Compose; none without a project file, where they are all that have ports. */
export const servicesIn = Effect.fnUntraced(function* (here: Here) {
  if (here.project === undefined) return []
  const inFile = [...settingsOf(here).keys()]
  return [...inFile, ...(yield* heldServices(here, inFile)).map(({ service }) => service)]
})

/** What is on the ports of services: of those that are named, or of all that the project and its Compose files have. */
export const statesOf = Effect.fnUntraced(function* (here: Here, named: ReadonlyArray<string>) {
  return yield* serviceStates(here, named.length > 0 ? named : yield* servicesIn(here))
})

/** What a command gets of its Compose project, and the environment without a name that is not the user's. */
export const wantedOf = (project: ComposeProjects.ComposeProject | undefined, env: Environment) => {
  if (project === undefined) return { env, notes: [], wanted: [] }
  const { name } = project
  const said = saidName(env, project.folder)
  return { ...said, wanted: [[nameVariable, { literals: [name], value: name }] as const] }
}
