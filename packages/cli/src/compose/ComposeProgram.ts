import { execFile } from "node:child_process"
import * as Effect from "effect/Effect"
import { CliError } from "../errors/CliError.ts"

/** How a run of Compose ended. */
export interface Ended {
  readonly status: number | string
  readonly stdout: string
  readonly stderr: string
}

type Environment = Readonly<Record<string, string>>

/** Larger than any model. */
const maxBuffer = 256 * 1024 * 1024

const capture = (words: ReadonlyArray<string>, env: Environment, input = ""): Effect.Effect<Ended> =>
  Effect.async((resume) => {
    const [program = "", ...args] = words
    const child = execFile(program, args, { env, maxBuffer }, (error, stdout, stderr) => {
      const status = error === null ? 0 : (error.code ?? "killed")
      resume(
        Effect.succeed({ status, stdout, stderr: status === 0 || stderr !== "" ? stderr : (error?.message ?? "") })
      )
    })
    child.stdin?.on("error", () => {}).end(input)
    return Effect.sync(() => child.kill())
  })

/** Where Compose may be: Docker's plugin, or a program of its own. */
const programs: ReadonlyArray<ReadonlyArray<string>> = [["docker", "compose"], ["docker-compose"]]

/** The first version whose override replaces the ports of a service. */
const firstVersion = [2, 24, 4] as const

const isEnough = (version: string): boolean => {
  const found = version.split(/[.+-]/).map(Number)
  for (const [index, needed] of firstVersion.entries()) {
    if ((found[index] ?? 0) !== needed) return (found[index] ?? 0) > needed
  }
  return true
}

/** The version that a program says, if it is Compose. */
const versionOf = (program: ReadonlyArray<string>, env: Environment) =>
  Effect.map(capture([...program, "version", "--short"], env), ({ status, stdout }) =>
    status === 0 ? /^v?(\d+\.\d+[^\s]*)$/m.exec(stdout.trim())?.[1] : undefined
  )

/** A Compose that can be run. */
export interface ComposeProgram {
  /** The words that start it. */
  readonly words: ReadonlyArray<string>
  readonly version: string
  /** Run it to its end. */
  readonly capture: (args: ReadonlyArray<string>, env: Environment, input?: string) => Effect.Effect<Ended>
}

/** The Compose of this machine, of whatever version; fails where there is none. */
export const find = Effect.fnUntraced(function* (env: Environment) {
  for (const words of programs) {
    const version = yield* versionOf(words, env)
    if (version === undefined) continue
    const program: ComposeProgram = {
      words,
      version,
      capture: (args, env, input) => capture([...words, ...args], env, input)
    }
    return program
  }
  return yield* CliError.make(
    "there is no Docker Compose: neither docker compose nor docker-compose can be run (docs.docker.com/compose/install)",
    { exitCode: 127 }
  )
})

/** The Compose of this machine; fails where it is too old. */
export const findNew = Effect.fnUntraced(function* (env: Environment) {
  const program = yield* find(env)
  if (isEnough(program.version)) return program
  const { version, words } = program
  return yield* CliError.make(
    `portctl compose needs Docker Compose ${firstVersion.join(".")} or newer, and ${words.join(" ")} is ${version}`
  )
})
