import { execFileSync } from "node:child_process"
import { mkdirSync, realpathSync, statSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { temporaryFolder } from "./Programs.ts"

/** An author, and nothing of the machine's own settings; a submodule may be cloned from a folder. */
export const gitEnvironment = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "Test",
  GIT_AUTHOR_EMAIL: "test@example.com",
  GIT_COMMITTER_NAME: "Test",
  GIT_COMMITTER_EMAIL: "test@example.com",
  GIT_CONFIG_COUNT: "1",
  GIT_CONFIG_KEY_0: "protocol.file.allow",
  GIT_CONFIG_VALUE_0: "always"
}

/** Run git in a folder to its end; its standard output. */
export const git = (cwd: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("git", args, {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", ...gitEnvironment },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"]
  })

/** Make a repository with a first commit. */
export const repository = (folder: string, ...options: ReadonlyArray<string>): string => {
  mkdirSync(folder, { recursive: true })
  git(folder, "init", "--quiet", "--initial-branch=main", ...options)
  git(folder, "commit", "--quiet", "--allow-empty", "--message=first")
  return folder
}

/** Add a worktree to a repository, on no branch; its folder. */
export const worktree = (repository: string, folder: string): string => {
  git(repository, "worktree", "add", "--quiet", "--detach", folder)
  return folder
}

/** Add a submodule to a repository, and commit that. */
export const submodule = (repository: string, source: string, path: string): void => {
  git(repository, "submodule", "--quiet", "add", source, path)
  git(repository, "commit", "--quiet", `--message=${path}`)
}

/** A folder of the test's own, by its real path. */
export const realFolder = Effect.map(temporaryFolder, (folder) => realpathSync(folder))

/** A repository of this name in a folder of the test's own. */
export const temporaryRepository = (name: string) => Effect.map(realFolder, (folder) => repository(join(folder, name)))

/** What portctl sends with a working copy, and what the server waits for: it differs when a folder is made again. */
export const identity = (...folders: ReadonlyArray<string>): string =>
  folders
    .map((folder) => statSync(folder, { bigint: true }))
    .map(({ birthtimeNs, ino }) => `${ino}:${birthtimeNs}`)
    .join(" ")
