import { existsSync } from "node:fs"
import { basename } from "node:path"

/** A name in Compose's alphabet. */
export const normalized = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^-_a-z0-9]/g, "")
    .replace(/^[-_]+/, "")

/** The name of a project whose files give it none, after its folder; that of Compose, where Compose has one. */
export const folderName = (folder: string, app: string): string =>
  normalized(basename(folder)) || normalized(app) || "compose"

/** The longest that the parts of a name may be, so that a file can be called so. */
const maxLength = 80

/** What is known of a project whose name is looked for. */
export interface Unnamed {
  /** The folder of its Compose file. */
  readonly folder: string
  /** The folder of its working copy. */
  readonly copy: string
  /** Its git directory; empty outside git. */
  readonly gitDir: string
  readonly app: string
  readonly instance: string
  /** The name that Compose gives it by itself. */
  readonly given: string
  /** Whether the user has named it so for this run. */
  readonly isSaid: boolean
  /** Whether a file for variables names it so. */
  readonly isInEnvFile: boolean
}

/** A Compose project, and the folder that it is of. */
export interface NamedProject {
  readonly name: string
  readonly folder: string
}

/** Whether a name belongs to another folder, which still exists. */
export const isOthers = (name: string, folder: string, known: Iterable<NamedProject>): boolean =>
  [...known].some((each) => each.name === name && each.folder !== folder && existsSync(each.folder))

/** What the name of a working copy's project begins with: for a worktree, that which the main one's has. */
const baseOf = ({ app, copy, folder, given }: Unnamed): string =>
  folder === copy && given === normalized(basename(folder)) && normalized(app) !== "" ? normalized(app) : given

/**
 * The names that a project may have, the best one first. The main working copy's is the one that Compose gives; that of
 * any other one has its instance in it.
 */
export const candidates = function* (project: Unnamed, containers: Iterable<NamedProject>): Generator<string> {
  const { folder, given, instance, isInEnvFile, isSaid } = project
  const isOwn = [...containers].some((each) => each.name === given && each.folder === folder)
  if (instance === "main" || isSaid || isInEnvFile || isOwn) yield given
  const base = baseOf(project).slice(0, maxLength)
  const own = normalized(instance).slice(0, maxLength)
  // The folder of a worktree is often called after the project already: `shop-search`.
  const repeats = own === base || own.startsWith(`${base}-`) || own.startsWith(`${base}_`)
  const name = repeats ? own : [base, own].filter(Boolean).join("-")
  if (name !== base) yield name
  for (let number = 2; ; number++) yield `${name}-${number}`
}
