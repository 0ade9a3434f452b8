import { existsSync, realpathSync, statSync } from "node:fs"
import { basename, join, relative, sep } from "node:path"
import { InvalidRequest } from "@port-server/domain/CommonErrors"
import type { WorkingCopy } from "@port-server/domain/Ensure"
import { sentenceOf, variable } from "@port-server/domain/EnvConfig"
import { Name } from "@port-server/domain/Name"
import { servicesByFolder } from "@port-server/domain/ServiceSettings"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
import { attempt } from "../platform/Process.ts"
import * as GitLocation from "./GitLocation.ts"
import { type Advice, adviceFor, type Field, type Given, variableOf } from "./Given.ts"
import * as ProjectFileLoader from "./ProjectFileLoader.ts"

/** Where a command runs: the app, the instance and the folder. */
export interface Here {
  readonly app: string
  readonly instance: string
  /** Whether the command line or the environment gave the instance: then another folder may have the same one on purpose. */
  readonly isSaid: boolean
  /** The real path of the project's folder: the project file's inside the worktree, else the worktree's top. */
  readonly folder: string
  /** The top of the working copy, where it has one. */
  readonly top: string | undefined
  /** The same for the server, which decides what `app` and `instance` really are. */
  readonly workingCopy: WorkingCopy
  /** The project file that goes for the current folder. */
  readonly project: ProjectFileLoader.Project | undefined
  /** The service that the project file places in the current folder. */
  readonly service: string | undefined
  /** The folder of the project below, where the command runs in that one: its processes are no strangers here. */
  readonly below: string | undefined
  /** The projects in the folders above, from the nearest: a command also gets the variables of their services. */
  readonly above: ReadonlyArray<Here>
}

/** The real path of the folder that the program was started in. */
export const currentFolder = Effect.suspend(() => {
  let told = ""
  try {
    told = process.cwd()
    return Effect.succeed(realpathSync(told))
  } catch {
    // Node puts this character for the bytes that are not UTF-8.
    return CliError.make(
      told.includes("\uFFFD")
        ? `the path of the current folder, ${told}, is not UTF-8 text`
        : "the current folder is gone, or it is not yours to read"
    )
  }
})

const fromEnvironment = (field: Field) =>
  Effect.mapError(variable(variableOf(field), Name(field), ""), (error) => CliError.make(sentenceOf(error)))

/** The name that a folder gives. */
const nameOf = (advice: Advice, field: Field, folder: string, name: string) =>
  Effect.mapError(Schema.validate(Name(field))(name), (error) => {
    const problem = name === "" ? "it has none" : InvalidRequest.fromParseError(error).message
    return CliError.make(`the name of the folder ${folder} cannot be the ${field}'s: ${problem}; ${advice(field)}`)
  })

/**
 * What separates the parts of the name of a project below its worktree's top. A slash would be read as the one between
 * app and instance: `shop:packages:api/main/web`.
 */
const separator = ":"

/** The name of a project: its worktree's, and its path in that. */
const projectName = (app: string, project: string): string =>
  project === "" ? app : [app, ...project.split(sep)].join(separator)

/** What the folder says where nobody else does: its repository, or, outside git, its name. */
const appOf = (advice: Advice, folder: string, git: GitLocation.Answer, project: string) => {
  if (git._tag === "Refused") return CliError.make(`${git.reason}; ${advice("app", "instance")}, or ${git.remedy}`)
  if (git._tag === "Outside") {
    return nameOf(advice, "app", folder, projectName(basename(git.folder ?? folder), project))
  }
  return git.app === ""
    ? CliError.make(`nothing in ${git.repository} says where its main worktree is; ${advice("app")}`)
    : nameOf(advice, "app", git._tag === "Worktree" ? folder : git.repository, projectName(git.app, project))
}

const instanceOf = (advice: Advice, folder: string, git: GitLocation.Answer) => {
  switch (git._tag) {
    case "Refused":
      return CliError.make(`${git.reason}; ${advice("app", "instance")}, or ${git.remedy}`)
    case "Repository":
      return CliError.make(`${git.reason}; go to one, or ${advice("instance")}`)
    case "Outside":
      return Effect.succeed("main")
    case "Worktree":
      return nameOf(advice, "instance", folder, git.instance)
  }
}

/** The project's folder: that of the nearest project file inside the working copy, or the top of that. */
const projectFolder = (cwd: string, git: GitLocation.Answer, file: ProjectFileLoader.Project | undefined): string => {
  if (git._tag === "Worktree" || (git._tag === "Outside" && git.folder !== undefined)) {
    const top = git.folder ?? cwd
    return file !== undefined && ProjectFileLoader.isWithin(file.folder, top) ? file.folder : top
  }
  return file?.folder ?? cwd
}

/** The top of the working copy that a folder is in, where it has one. */
const topOf = (git: GitLocation.Answer): string | undefined =>
  git._tag === "Worktree" || git._tag === "Outside" ? git.folder : undefined

/** The service of the deepest folder that contains this one. */
const serviceIn = (cwd: string, project: ProjectFileLoader.Project | undefined): string | undefined => {
  if (project === undefined) return undefined
  const folders = [...servicesByFolder(project.contents.services)].map(([path, service]) => {
    const folder = join(project.folder, path)
    return { service, folder: existsSync(folder) ? realpathSync(folder) : folder }
  })
  const [deepest] = folders
    .filter(({ folder }) => ProjectFileLoader.isWithin(cwd, folder))
    .sort((one, other) => other.folder.length - one.folder.length)
  return deepest?.service
}

/** What differs when a folder is made again at its path. */
const identityOf = (folder: string): string => {
  const { birthtimeNs = 0n, ino = 0n } = attempt(() => statSync(folder, { bigint: true })) ?? {}
  return `${ino}:${birthtimeNs}`
}

/** Where a project is, and its app and instance. */
const placed = Effect.fnUntraced(function* (
  cwd: string,
  git: GitLocation.Answer,
  project: ProjectFileLoader.Project | undefined,
  said: { readonly app: string; readonly instance: string },
  advice: Advice
) {
  const saidApp = said.app || (project?.contents.app ?? "")
  const folder = projectFolder(cwd, git, project)
  const inner = relative(topOf(git) ?? folder, folder)
  const app = saidApp || (yield* appOf(advice, folder, git, inner))
  const instance = said.instance || (yield* instanceOf(advice, folder, git))
  const workingCopy: WorkingCopy = {
    folder,
    ...("gitDir" in git ? { git_dir: git.gitDir } : {}),
    ...(inner === "" ? {} : { project: inner }),
    identity: [folder, ...("gitDir" in git ? [git.gitDir] : [])].map(identityOf).join(" "),
    ...(saidApp === "" ? { app_from_folder: true } : {})
  }
  return { app, instance, isSaid: said.instance !== "", folder, top: topOf(git), workingCopy, project }
})

/** A folder, the top of its working copy where it has one, and the project file that goes for it. */
const locate = Effect.fnUntraced(function* (cwd: string) {
  const git = yield* GitLocation.of(cwd)
  const top = topOf(git)
  return { cwd, git, top, project: yield* ProjectFileLoader.find(cwd, top ?? cwd) }
})

/** The same for the current folder. */
export const located = Effect.flatMap(currentFolder, locate)

/** Whether a command runs in a project: one was given, there is a project file, or the folder is in a working copy. */
export const isInProject = Effect.fnUntraced(function* (given: Given) {
  const said = [given.app, given.instance].map(Option.getOrElse(() => "")).join("")
  const set = `${yield* fromEnvironment("app")}${yield* fromEnvironment("instance")}`
  if (said !== "" || set !== "") return true
  const { git, project } = yield* located
  return project !== undefined || git._tag !== "Outside" || git.folder !== undefined
})

/** What a command that ran in a folder, given by its real path, would be about. */
export const placeIn: (folder: string, given: Given) => Effect.Effect<Here, CliError> = Effect.fnUntraced(
  function* (folder, given) {
    const { cwd, git, project, top } = yield* locate(folder)
    const app = Option.getOrElse(given.app, () => "") || (yield* fromEnvironment("app"))
    const instance = Option.getOrElse(given.instance, () => "") || (yield* fromEnvironment("instance"))
    const advice = adviceFor(given)
    const place = yield* placed(cwd, git, project, { app, instance }, advice)
    const outer =
      project !== undefined && top !== undefined && ProjectFileLoader.isWithin(project.folder, top)
        ? yield* ProjectFileLoader.above(project, top)
        : []
    // What is said, or set, is about the nearest project alone.
    const said = { app: "", instance: "" }
    const above = yield* Effect.forEach(outer, (each) => placed(each.folder, git, each, said, advice))
    return {
      ...place,
      service: serviceIn(cwd, project),
      below: undefined,
      above: above.map((each) => ({ ...each, service: undefined, below: place.folder, above: [] }))
    }
  }
)

/** Where a command runs: by the command line, else the environment, else the project file, else the repository. */
export const here = (given: Given): Effect.Effect<Here, CliError> =>
  Effect.flatMap(currentFolder, (folder) => placeIn(folder, given))
