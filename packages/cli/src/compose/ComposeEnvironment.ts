import { relative } from "node:path"
import * as Effect from "effect/Effect"
import type { Here } from "../project/ProjectContext.ts"
import { heldPorts } from "../project/ProjectPorts.ts"
import { parse } from "./ComposeArguments.ts"
import * as ComposeFiles from "./ComposeFiles.ts"
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
export const saidName = (env: Environment, folder: string): SaidName => {
  const { [nameVariable]: name = "", ...rest } = env
  if (name === "") return { env: rest, name: undefined, notes: [] }
  const known = ComposeProjects.seenFrom(folder)
  if (isOthers(name, folder, known)) {
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

/** The top folder of a working copy. */
export const topOf = ({ folder, workingCopy }: Here): string =>
  workingCopy.project === undefined ? folder : folder.slice(0, -workingCopy.project.length - 1)

/** The name that Compose files give a project, where it is plain text in them. */
const nameIn = (text: string, folder: string, app: string): string | undefined => {
  const names = [...text.matchAll(/^name:\s*(?:"([^"\n]*)"|'([^'\n]*)'|([^\s#"'][^\s#]*))\s*(?:#.*)?$/gm)]
  const [, double, single, plain] = names.at(-1) ?? []
  const name = double ?? single ?? plain ?? folderName(folder, app)
  return /^[a-z0-9][-_a-z0-9]*$/.test(name) ? name : undefined
}

/** The Compose project of a folder, where the working copy has a Compose file for it; without asking Compose. */
export const projectOf = Effect.fnUntraced(function* (
  here: Here,
  { app, instance }: { readonly app: string; readonly instance: string },
  env: Environment
) {
  const paths = ComposeFiles.findDefault(ComposeFiles.currentFolder(env))
  const [main = ""] = paths
  const folder = ComposeProjects.realPath(main.slice(0, main.lastIndexOf("/")))
  const top = topOf(here)
  if (main === "" || relative(top, folder).startsWith("..")) return undefined
  const copy = top
  const known = ComposeProjects.all().find((each) => MovedProject.isOf(each, folder) && !each.isSaid)
  const steered = [nameVariable, "COMPOSE_FILE"].some(
    (name) => env[name] !== undefined || ComposeFiles.setsInEnvFile(parse([]), folder, env, name)
  )
  if (known === undefined && steered) return undefined
  const isMoved = known !== undefined && known.folder !== folder
  const kept = known !== undefined && (steered || !isMoved) ? MovedProject.givenIn(known, folder) : undefined
  const given = kept ?? nameIn(ComposeFiles.textOf({ paths }), folder, app)
  if (given === undefined) return undefined
  return yield* ComposeProjects.claim(
    { folder, copy, app, instance, given, isSaid: false, isInEnvFile: false },
    projectsOfContainers,
    "",
    false
  )
})

/** The services of the registry that Compose projects of a working copy have, as far as they hold ports. */
export const heldServices = Effect.fnUntraced(function* (here: Here, known: ReadonlyArray<string>) {
  const copy = topOf(here)
  const names = ComposeProjects.seenIn([copy]).flatMap((each) => (each.copy === copy ? each.services : []))
  const more = [...new Set(names)].filter((name) => !known.includes(name))
  if (more.length === 0) return []
  const { allocations } = yield* heldPorts(here)
  return more.filter((name) => allocations.some(({ service }) => service === name)).map((service) => ({ service }))
})

/** What a command gets of its Compose project, and the environment without a name that is not the user's. */
export const wantedOf = (project: ComposeProjects.ComposeProject | undefined, env: Environment) => {
  if (project === undefined) return { env, notes: [], wanted: [] }
  const { name } = project
  const said = saidName(env, project.folder)
  return { ...said, wanted: [[nameVariable, { template: name, value: name }] as const] }
}
