import { existsSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { shellWord } from "@port-server/command-line/command/ShellWord"
import { markers, otherMarkers } from "@port-server/domain/WorkingCopyMarkers"
import * as Effect from "effect/Effect"
import { type Ended, git } from "./Git.ts"

interface Repository {
  /** The name of its main worktree's folder, or of the one that stands for it; empty where nothing records it. */
  readonly app: string
  /** The folder of what all worktrees share. */
  readonly repository: string
  /** The git directory of the worktree, or of the repository. */
  readonly gitDir: string
}

/**
 * What git says about a folder: it is in a worktree; in a repository, but in none of its worktrees; in no repository; or
 * git does not say, and `reason` is why.
 */
export type Answer =
  | ({ readonly _tag: "Worktree"; readonly instance: string; readonly folder: string } & Repository)
  | ({ readonly _tag: "Repository"; readonly reason: string } & Repository)
  | { readonly _tag: "Outside" /** The top of another system's working copy. */; readonly folder?: string }
  | { readonly _tag: "Refused"; readonly reason: string; readonly remedy: string }

const refused = (reason: string, remedy = "mend it"): Answer => ({ _tag: "Refused", reason, remedy })

/** Whether git has a symbolic link among its files; also where it does not say. */
export const tracksLink = (path: string): Effect.Effect<boolean> =>
  Effect.map(
    git(dirname(path), ["--literal-pathspecs", "ls-files", "--stage", "--", basename(path)]),
    ({ status, stdout }) => status !== 0 || stdout.startsWith("120000 ")
  )

// git repeats options that it does not know, which tells its answers apart, whatever is in a folder's name.
const mark = "--portctl"

/** The answers of `git rev-parse` to several options, each without its last newline. */
const parts = (stdout: string): ReadonlyArray<string> =>
  stdout
    .split(/^--portctl\n/m)
    .slice(1)
    .map((part) => part.replace(/\n$/, ""))

/** The nearest `.git` of a folder and those above it. */
const dotGit = (folder: string): string | undefined => {
  const ceilings = (process.env["GIT_CEILING_DIRECTORIES"] ?? "").split(":")
  for (let current = folder; ; current = dirname(current)) {
    const candidate = join(current, ".git")
    if (existsSync(candidate)) return candidate
    if (dirname(current) === current || ceilings.includes(dirname(current))) return undefined
  }
}

/** What helps where git cannot read a repository, if that is known. */
const remedyOf = (cwd: string, { advised, fatal }: Ended): string | undefined => {
  if (advised !== undefined) return `run ${advised}`
  const [, repository] = /^not a git repository: (.*)\/worktrees\/[^/]+$/.exec(fatal) ?? []
  const file = repository === undefined ? undefined : dotGit(cwd)
  if (file === undefined || repository === undefined) return undefined
  const repair = `run git worktree repair ${shellWord(dirname(file))} in its repository, wherever that is now`
  // In a container it may be where it was, and not mounted.
  return existsSync(repository) ? repair : `${repair}, or in a container mount ${shellWord(repository)}, too`
}

/** Why there is no answer: nothing to ask about, or something that git does not read. */
const silence = (cwd: string, ended: Ended): Answer => {
  const { fatal, status } = ended
  if (status !== "ENOENT" && !fatal.startsWith("not a git repository (or any ")) {
    const reason = fatal || `it ended with ${status}`
    return refused(`git cannot read the repository of ${cwd}: ${reason}`, remedyOf(cwd, ended))
  }
  const found = fatal.includes("mount point") ? undefined : dotGit(cwd)
  if (found === undefined) return { _tag: "Outside" }
  return status === "ENOENT"
    ? refused(`there is ${found}, but no git to read it`, "install git")
    : refused(`git cannot read ${found} as a repository`)
}

/**
 * The name of the folder of a repository's main worktree, or of the folder that stands for it where there is none:
 * `proj` for a bare `proj.git`, `proj/.bare` or `proj/.git`. Empty where nothing records it.
 */
const repositoryName = Effect.fnUntraced(function* (commonDir: string) {
  const { stdout } = yield* git(commonDir, [`--git-dir=${commonDir}`, "config", "-z", "--get-regexp", "^core\\."])
  const settings = new Map(
    stdout.split("\0").map((setting) => {
      const [key = "", ...value] = setting.split("\n")
      return [key, value.join("\n")] as const
    })
  )
  const worktree = settings.get("core.worktree")
  if (worktree !== undefined) return basename(resolve(commonDir, worktree))
  const own = basename(commonDir)
  if (own !== ".git" && settings.get("core.bare") !== "true") return ""
  return own.startsWith(".") ? basename(dirname(commonDir)) : own.replace(/\.git$/, "")
})

/** A name without what git changes in it when it names a worktree after its folder. */
const plain = (name: string): string => name.replace(/(\.lock)+$/, "").replace(/[\p{Cc}\s.~^:?*[\\{-]+/gu, "-")

/**
 * The name of a linked worktree: its folder's. Where another worktree had that already when this one was added, git told
 * them apart by a number, and the name is git's.
 */
const linkedName = (folder: string, gitDir: string): string => {
  const [name, told] = [basename(folder), basename(gitDir)]
  const isNumbered = plain(told).startsWith(plain(name)) && /^[0-9]+$/.test(plain(told).slice(plain(name).length))
  return isNumbered ? told : name
}

/** The nearest folder, from `folder` upwards and before `top`, that has one of the markers. */
const markedTop = (names: ReadonlyArray<string>, folder: string, top: string | undefined): string | undefined => {
  for (let current = folder; current !== top; current = dirname(current)) {
    if (names.some((name) => existsSync(join(current, name)))) return current
    if (dirname(current) === current) return undefined
  }
  return undefined
}

/** Whether a folder below another one is a part of that, and not in a working copy of its own. */
export const isPartOf = (folder: string, top: string): boolean => markedTop(markers, folder, top) === undefined

/**
 * Which repository and which of its worktrees a folder is in. The branch does not matter. A working copy of another
 * version control system inside a worktree is not a part of that.
 */
export const of: (cwd: string) => Effect.Effect<Answer> = Effect.fnUntraced(function* (cwd) {
  const answer = yield* ofGit(cwd)
  if (answer._tag === "Refused" || answer._tag === "Repository") return answer
  const other = markedTop(otherMarkers, cwd, answer._tag === "Worktree" ? answer.folder : undefined)
  return other === undefined ? answer : { _tag: "Outside", folder: other }
})

/** What git says about a folder. */
const ofGit: (cwd: string) => Effect.Effect<Answer> = Effect.fnUntraced(function* (cwd) {
  const questions = ["--git-dir", "--git-common-dir", "--show-superproject-working-tree", "--show-toplevel"]
  const ended = yield* git(cwd, [
    "rev-parse",
    "--path-format=absolute",
    ...questions.flatMap((question) => [mark, question])
  ])
  // Before 2.31 git knows no --path-format, and gives the first two relative to the folder.
  const [gitDir, repository, superproject, folder] = parts(ended.stdout).map((part, index) =>
    part !== "" && index < 2 ? resolve(cwd, part) : part
  )
  if (!gitDir || !repository) return silence(cwd, ended)
  if (!folder) {
    const reason = `${cwd} is in none of the worktrees of ${repository}`
    return { _tag: "Repository", app: yield* repositoryName(repository), repository, gitDir, reason } as const
  }
  if (gitDir !== repository) {
    const app = yield* repositoryName(repository)
    return { _tag: "Worktree", app, repository, gitDir, instance: linkedName(folder, gitDir), folder } as const
  }
  // A submodule has as many copies as its superproject has worktrees.
  const above = superproject ? yield* of(superproject) : undefined
  if (above?._tag === "Refused") return above
  const instance = above?._tag === "Worktree" ? above.instance : "main"
  return { _tag: "Worktree", app: basename(folder), repository, gitDir, instance, folder } as const
})
