import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type Engine, SharedEngine } from "./Engine.ts"
import { git, gitEnvironment, realFolder, repository, worktree } from "./Git.ts"
import { freePorts } from "./Listening.ts"
import { type Ended, type PortServer, portctl, start, startServer } from "./Programs.ts"

/** Files by their paths. */
export type Files = Readonly<Record<string, string>>

/** A working copy of a project, and the programs as its user runs them in it. */
export interface WorkingCopy {
  readonly folder: string
  readonly portctl: (args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) => Effect.Effect<Ended>
  /** Docker Compose without portctl. */
  readonly compose: (args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) => Effect.Effect<Ended>
}

/** A repository with Compose files, its first working copy, and a server of its own. */
export interface ComposeProject {
  readonly server: PortServer
  readonly main: WorkingCopy
  /** Add a worktree, beside the main one. */
  readonly worktree: (name: string) => WorkingCopy
  /** The same user in any folder. */
  readonly at: (folder: string) => WorkingCopy
  /** The environment of that user. */
  readonly env: Readonly<Record<string, string>>
  /** The first of the ports that the server gives out. */
  readonly first: number
}

const makeWith = ({ env: engine }: Engine, files: Files, name: string, options: { readonly from?: string }) =>
  Effect.gen(function* () {
    const top = yield* realFolder
    const folder = repository(join(top, name))
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    if (options.from !== undefined) cpSync(options.from, folder, { recursive: true })
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--allow-empty", "--message=files")
    const first = yield* freePorts(60)
    const server = yield* startServer({ args: ["--range", `${first}-${first + 59}`], probe: true, env: engine })
    const own = { HOME: server.home, PORT_SERVER_ADDR: server.address, ...gitEnvironment, ...engine }
    const started = new Set<WorkingCopy>()
    const copy = (folder: string): WorkingCopy => {
      const made: WorkingCopy = {
        folder,
        portctl: (args, env = {}) => {
          if (args.includes("up")) started.add(made)
          return portctl(args, { cwd: folder, env: { ...own, ...env } })
        },
        compose: (args, env = {}) =>
          start("docker", ["compose", ...args], { cwd: folder, env: { ...own, ...env } }).pipe(
            Effect.flatMap((running) => running.ended),
            Effect.scoped
          )
      }
      return made
    }
    // What a test has started is stopped before its server and its folders go.
    yield* Effect.addFinalizer(() =>
      Effect.forEach(
        [...started].filter(({ folder }) => existsSync(folder)),
        (each) => each.portctl(["compose", "--profile", "*", "down", "--volumes", "--timeout", "0"])
      )
    )
    const project: ComposeProject = {
      server,
      first,
      env: own,
      at: copy,
      main: copy(folder),
      worktree: (name) => copy(worktree(folder, join(top, name)))
    }
    return project
  })

/** A project in a repository of this name, on the engine that the tests share. */
export const composeProject = (
  files: Files,
  name = "shop",
  options: { readonly from?: string } = {}
): Effect.Effect<ComposeProject, never, SharedEngine | Scope.Scope> =>
  Effect.flatMap(SharedEngine, (engine) => makeWith(engine, files, name, options))

const Rows = Schema.parseJson(
  Schema.Array(
    Schema.Struct({
      service: Schema.String,
      target: Schema.Int,
      protocol: Schema.String,
      file: Schema.NullOr(Schema.Union(Schema.Int, Schema.String)),
      port: Schema.NullOr(Schema.Union(Schema.Int, Schema.String)),
      reason: Schema.optional(Schema.String)
    })
  )
)

/** What `portctl compose plan --json` prints. */
export const planIn = ({ portctl }: WorkingCopy, flags: ReadonlyArray<string> = []) =>
  Effect.flatMap(portctl(["compose", ...flags, "plan", "--json"]), ({ stderr, stdout }) =>
    stdout === "" ? Effect.dieMessage(stderr) : Effect.orDie(Schema.decodeUnknown(Rows)(stdout))
  )

/** The ports of a plan: `db:5432 5432→3000`. */
export const shortly = (rows: Effect.Effect.Success<ReturnType<typeof planIn>>) =>
  rows.map(({ file, port, protocol, service, target }) => `${service}:${target}/${protocol} ${file}→${port}`)

/** The model that Compose itself resolves in a working copy, and what portctl notes. */
export const resolved = (
  { portctl }: WorkingCopy,
  flags: ReadonlyArray<string> = [],
  env: Readonly<Record<string, string>> = {}
) =>
  Effect.map(portctl(["compose", ...flags, "config", "--format", "json"], env), ({ code, stderr, stdout }) => {
    expect(code, stderr).toBe(0)
    return { model: Object(JSON.parse(stdout)), stderr }
  })
