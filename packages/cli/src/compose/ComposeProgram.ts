import { execFile } from "node:child_process"
import * as Effect from "effect/Effect"
import { CliError } from "../errors/CliError.ts"
import * as KnownProgram from "./KnownProgram.ts"

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

/** A kind of Compose, and its first version whose override replaces the ports of a service. */
interface Kind {
  readonly title: string
  readonly first: readonly [number, number, number]
}

const docker: Kind = { title: "Docker Compose 2.24.4", first: [2, 24, 4] }
const podman: Kind = { title: "podman-compose 1.4", first: [1, 4, 0] }

/** Where Compose may be: Docker's plugin, a program of its own, or Podman's. */
const programs = [
  [docker, "docker", "compose"],
  [docker, "docker-compose"],
  [podman, "podman-compose"]
] as const

const isEnough = (version: string, { first }: Kind): boolean => {
  const found = version.split(/[.+-]/).map(Number)
  for (const [index, needed] of first.entries()) {
    if ((found[index] ?? 0) !== needed) return (found[index] ?? 0) > needed
  }
  return true
}

/** The version that a program says, if it is Compose. */
const versionOf = (capture: Capture, env: Environment) =>
  Effect.map(capture(["version", "--short"], env), ({ status, stdout }) =>
    status === 0 ? /^v?(\d+\.\d+[^\s]*)$/m.exec(stdout.trim())?.[1] : undefined
  )

/** A Compose that can be run. */
export interface ComposeProgram {
  /** The words that start it. */
  readonly words: ReadonlyArray<string>
  readonly version: string
  /** Whether it is podman-compose, which prints other models. */
  readonly isPodman: boolean
  /** Run it to its end. */
  readonly capture: (args: ReadonlyArray<string>, env: Environment, input?: string) => Effect.Effect<Ended>
}

type Capture = ComposeProgram["capture"]

const programOf = (
  [kind, ...words]: (typeof programs)[number],
  version: string,
  plugin: string | undefined
): ComposeProgram => ({
  words,
  version,
  isPodman: kind === podman,
  capture: plugin === undefined ? (args, env, input) => capture([...words, ...args], env, input) : captureBy(plugin)
})

/** Runs Docker's plugin as Docker does, which takes half as long as by Docker: that starts the plugin twice. */
const captureBy =
  (plugin: string): Capture =>
  (args, env, input) =>
    capture([plugin, "compose", ...args], { ...env, DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND: "docker" }, input)

/** Docker's plugin, which most machines have: what is asked of it costs no time while {@link find} looks. */
export const likely = programOf(programs[0], "", undefined)

/** The Compose of this machine, of whatever version; fails where there is none. */
export const find = Effect.fnUntraced(function* (env: Environment) {
  for (const each of programs) {
    const program = programOf(each, "", undefined)
    const version = yield* versionOf(program.capture, env)
    if (version !== undefined) return { ...program, version }
  }
  return yield* CliError.make(
    "there is no Docker Compose: none of docker compose, docker-compose and podman-compose can be run (docs.docker.com/compose/install)",
    { exitCode: 127 }
  )
})

/** The Compose of this machine; fails where it is too old. */
export const findNew = Effect.fnUntraced(function* (env: Environment) {
  const files = KnownProgram.filesOf(env)
  const program = yield* find(env)
  const { isPodman, version, words } = program
  const kind = isPodman ? podman : docker
  if (!isEnough(version, kind)) {
    return yield* CliError.make(`portctl compose needs ${kind.title} or newer, and ${words.join(" ")} is ${version}`)
  }
  const plugin = words.join(" ") === likely.words.join(" ") ? KnownProgram.plugin(env) : undefined
  // Docker may look elsewhere first, or be another program of that name.
  const isPlugin = plugin !== undefined && (yield* versionOf(captureBy(plugin), env)) === version
  yield* KnownProgram.remember({ words: words.join(" "), version, files, isPlugin })
  return program
})

/** What {@link findNew} found before, if it may be that still: to ask its version takes as long as to read a project. */
export const known = (env: Environment): ComposeProgram | undefined => {
  const found = KnownProgram.recall(env)
  const program = programs.find(([, ...words]) => words.join(" ") === found?.words)
  if (found === undefined || program === undefined || !isEnough(found.version, program[0])) return undefined
  return programOf(program, found.version, found.isPlugin ? KnownProgram.plugin(env) : undefined)
}
