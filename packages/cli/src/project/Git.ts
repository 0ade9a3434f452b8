import { execFile } from "node:child_process"
import * as Effect from "effect/Effect"

// Set inside hooks and by `git -C … alias`: they would answer for another folder than the current one.
const misleading = [
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_IMPLICIT_WORK_TREE",
  "GIT_COMMON_DIR",
  "GIT_INDEX_FILE",
  "GIT_OBJECT_DIRECTORY",
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_NAMESPACE",
  "GIT_PREFIX"
]

// Files of a cloned repository may look like a git directory, whose configuration git then reads. No program that it names
// is run: neither to find out what has changed, nor, by a protocol, to fetch an object that is missing.
const harmless = ["-c", "core.fsmonitor="]

const environment = () => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !misleading.includes(name))),
  LC_ALL: "C",
  GIT_ALLOW_PROTOCOL: ""
})

/** How long git may take, in ms: a pipe in place of one of its files it would wait for without end. */
const patience = 10_000

/** Longest part of what git says, in characters: it repeats values of its configuration. */
const mostSaid = 300

/** How a call of git ended. */
export interface Ended {
  readonly status: number | string
  readonly stdout: string
  /** What git gave up with. */
  readonly fatal: string
  /** The command that git advises then. */
  readonly advised?: string | undefined
}

/** Run git in a folder, whatever the environment says about another repository; never fails. */
export const git = (cwd: string, args: ReadonlyArray<string>): Effect.Effect<Ended> =>
  Effect.async((resume) => {
    const limits = { timeout: patience, killSignal: "SIGKILL" } as const
    execFile("git", [...harmless, ...args], { cwd, env: environment(), ...limits }, (error, stdout, stderr) => {
      const [, said = ""] = /^fatal: (.*)$/m.exec(stderr) ?? []
      // Of another error, its lines can be a hostile repository's.
      const [, advised] = said.startsWith("detected dubious ownership ")
        ? (/^\t(git config --global --add safe\.directory .*)$/m.exec(stderr) ?? [])
        : []
      const fatal = error?.killed === true ? "git did not answer in time" : said.slice(0, mostSaid)
      resume(Effect.succeed({ status: error === null ? 0 : (error.code ?? "killed"), stdout, fatal, advised }))
    })
  })
