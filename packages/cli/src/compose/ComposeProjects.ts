import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, utimesSync } from "node:fs"
import { join } from "node:path"
import { headOf } from "@port-server/domain/Block"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
import { cannotWrite, codeOf } from "../errors/FileError.ts"
import * as AtomicFile from "../platform/AtomicFile.ts"
import * as DataFolder from "../platform/DataFolder.ts"
import { attempt } from "../platform/Process.ts"
import type { Changes } from "../run/CommandEnvironment.ts"
import type { projectsOfContainers } from "./ContainerProjects.ts"
import * as MovedProject from "./MovedProject.ts"
import { candidates, isOthers, type Unnamed } from "./ProjectName.ts"

const Header = Schema.parseJson(
  Schema.Struct({
    folder: Schema.String,
    id: Schema.optionalWith(Schema.String, { default: () => "" }),
    copy: Schema.String,
    gitDir: Schema.optionalWith(Schema.String, { default: () => "" }),
    given: Schema.String,
    isSaid: Schema.Boolean,
    services: Schema.Array(Schema.String),
    checked: Schema.String,
    changes: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.NullOr(Schema.String) }), {
      default: () => ({})
    })
  })
)

/** A Compose project of a working copy. It is kept in the first lines of its override. */
export interface ComposeProject extends Schema.Schema.Type<typeof Header> {
  /** What Compose calls it. */
  readonly name: string
  /** The path of its override. */
  readonly file: string
  // folder: that of its Compose file. id: which one that is. copy: that of its working copy. gitDir: the git directory of
  // that. given: the name that Compose gives it by itself. isSaid: the user has named it. services: those of the registry.
  // checked: the model and override of the last check. changes: what differed from the user's environment in the last run.
}

const extension = ".yaml"

/** The folder of the overrides. */
const folderPath = () => join(DataFolder.path(), "compose")

const decode = Schema.decodeUnknownOption(Header)

const readProject = (file: string, name: string): ReadonlyArray<ComposeProject> => {
  try {
    const [, header = ""] = readFileSync(file, "utf8").split("\n", 2)
    return Option.match(decode(header.replace(/^# /, "")), {
      onNone: () => [],
      onSome: (found) => [{ ...found, name, file }]
    })
  } catch {
    // Removed a moment ago, or it is not ours to read.
    return []
  }
}

/** All projects that are known. */
export const all = (): ReadonlyArray<ComposeProject> =>
  (attempt(() => readdirSync(folderPath())) ?? [])
    .filter((name) => name.endsWith(extension))
    .flatMap((name) => readProject(join(folderPath(), name), name.slice(0, name.indexOf("."))))

/** The same, where one of a folder that was moved is known to be in it, and others are where git has moved them. */
export const seenFrom = (folder: string, known = all()): ReadonlyArray<ComposeProject> =>
  known.map((each) => ({ ...each, ...(MovedProject.isOf(each, folder) ? { folder } : MovedProject.placeIn(each, [])) }))

/** The same, where those that were moved into a working copy, of which one of the folders is part, are in that one. */
export const seenIn = (folders: ReadonlyArray<string>): ReadonlyArray<ComposeProject> => {
  const copies = [...new Set(folders.flatMap(MovedProject.foldersUp))]
  return all().map((each) => ({ ...each, ...MovedProject.placeIn(each, copies) }))
}

/** Note that a project is the last one of its folder that was used; writing its override does so too. */
export const noteUse = ({ file }: ComposeProject): void => attempt(() => utimesSync(file, new Date(), new Date()))

/** The project of a folder that was used last, of those that the user has not named. */
export const lastOf = (folder: string): ComposeProject | undefined =>
  all()
    .filter((each) => MovedProject.isOf(each, folder) && !each.isSaid)
    .map((project) => ({ project, time: attempt(() => statSync(project.file).mtimeMs) ?? 0 }))
    .sort((one, other) => other.time - one.time)[0]?.project

/** What differed from the user's environment in the last run of a folder's project. */
export const lastChanges = (projects: ReadonlyArray<ComposeProject>, folder: string): Changes => {
  const { changes = {} } = projects.find((each) => each.folder === folder && Object.keys(each.changes).length > 0) ?? {}
  return new Map(Object.entries(changes).map(([name, value]) => [name, value ?? undefined]))
}

/** Whether a service of the registry, or a port of a block, is one of a Compose project in a folder that is there. */
export const hasService = (projects: ReadonlyArray<ComposeProject>, path: string, service: string): boolean =>
  projects.some(
    ({ copy, folder, services }) =>
      (path === copy || path.startsWith(`${copy}/`)) && services.includes(headOf(service)) && existsSync(folder)
  )

/** The override of a project, without its first lines. */
const textOf = ({ file, name }: ComposeProject): string =>
  attempt(() => readFileSync(file, "utf8").split("\n").slice(2).join("\n")) ?? `name: ${name}\n`

/** The real path of a folder, or what is left of it. */
export const realPath = (folder: string): string => attempt(() => realpathSync(folder)) ?? folder

/** A folder's text, as the first lines of an override have it. */
export const headerOf = ({ file: _file, name: _name, ...project }: ComposeProject): string =>
  [
    "# Written by portctl compose, anew for each run.",
    `# ${JSON.stringify(Schema.encodeSync(Schema.typeSchema(Header))(project))}`
  ].join("\n")

const make = Effect.gen(function* () {
  yield* Effect.mapError(DataFolder.make, ({ message }) => CliError.make(message))
  const folder = folderPath()
  try {
    // Not `recursive`, with which Node calls a read-only disk a missing folder.
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) !== "EEXIST") return yield* CliError.make(cannotWrite(folder, error))
  }
  return folder
})

/** The path of the override of a project. @param variant tells one set of files from another */
export const fileOf = (name: string, variant: string): string =>
  join(folderPath(), `${name}${variant === "" ? "" : `.${variant}`}${extension}`)

/** Write the override of a project, at once. With `isNew`, it fails with `false` where there is one. */
export const write = Effect.fnUntraced(function* (project: ComposeProject, text: string, isNew = false) {
  yield* make
  const bytes = Buffer.from(`${headerOf(project)}\n${text}`)
  try {
    if (isNew) AtomicFile.create(project.file, bytes, 0o600)
    else AtomicFile.writeOwn(project.file, bytes)
    return true
  } catch (error) {
    if (isNew && codeOf(error) === "EEXIST") return false
    return yield* CliError.make(cannotWrite(project.file, error))
  }
})

/** The name, and what is kept under it, of a project that may have none yet. @param isDryRun nothing is written */
export const claim = Effect.fnUntraced(function* (
  project: Unnamed,
  ofContainers: typeof projectsOfContainers,
  variant: string,
  isDryRun: boolean
) {
  const { copy, folder, gitDir, given, isSaid } = project
  const known = all()
  const own = known.find(
    (each) =>
      MovedProject.isOf(each, folder) &&
      each.isSaid === isSaid &&
      MovedProject.hasGiven(each, folder, given) &&
      each.file === fileOf(each.name, "")
  )
  const place = { folder, id: MovedProject.idOf(folder), copy, gitDir, given, isSaid }
  const named = (name: string): ComposeProject => ({
    ...{ name, file: fileOf(name, variant), services: [], checked: "", changes: {} },
    ...known.find(({ file }) => file === fileOf(name, variant)),
    ...place
  })
  if (own !== undefined) {
    const isKnown = own.folder === folder && own.id === place.id && own.gitDir === gitDir
    if (!isKnown && !isDryRun) yield* write({ ...own, ...place }, textOf(own))
    return named(own.name)
  }
  const containers = yield* ofContainers
  const others = [...seenFrom(folder, known), ...containers]
  for (const name of candidates(project, containers)) {
    if (isOthers(name, folder, others)) continue
    const found = named(name)
    if (isDryRun) return found
    const isKnown = known.some(({ file }) => file === fileOf(name, ""))
    const isWritten = yield* write({ ...found, file: fileOf(name, "") }, `name: ${name}\n`, !isKnown)
    if (isWritten) return found
  }
  return yield* Effect.dieMessage("there are names without end")
})
