import { type ChildProcess, spawn } from "node:child_process"
import { chownSync, readdirSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** The built programs, as a user starts them. */
export const bin = { portServer: join(root, "bin/port-server"), portctl: join(root, "bin/portctl") }

/** How a program ended and what it printed. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A program that runs. */
export interface Running {
  readonly process: ChildProcess
  readonly pid: number
  /** What it has printed so far. */
  readonly output: { stdout: string; stderr: string }
  readonly ended: Effect.Effect<Ended>
  /** Resolves with the first match in its stdout, or fails the test when it ends without one. */
  readonly printed: (pattern: RegExp) => Effect.Effect<RegExpExecArray>
}

/** A folder of the test's own, removed with everything in it at the end of the scope. */
export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "port-server-test-"))),
  // A process that is about to end may still write into it: Podman cleans up after each container.
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 20 }))
)

/** Nothing of the machine's own settings but where its programs are. */
const environment = (extra: Readonly<Record<string, string>>) => ({ PATH: process.env["PATH"] ?? "", ...extra })

/** What else listens on this machine is no concern of tests that are given the first ports of the usual range. */
const withoutOthers = (ended: Ended): Ended => ({
  ...ended,
  stderr: ended.stderr.replace(/^warning: .* port (3\d{3}|400\d|5432|8080|20000) \(.*\n/gm, "")
})

/** Start a program; what is left of it at the end of the scope is killed. */
export const start = (
  command: string,
  args: ReadonlyArray<string>,
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {}
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Running>((resume) => {
      const child = spawn(command, args, {
        env: environment(options.env ?? {}),
        cwd: options.cwd ?? tmpdir(),
        stdio: ["ignore", "pipe", "pipe"]
      })
      const output = { stdout: "", stderr: "" }
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        output.stdout += text
      })
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        output.stderr += text
      })
      const closed = new Promise<Ended>((resolve) => {
        child.on("close", (code, signal) => resolve(withoutOthers({ code, signal, ...output })))
      })
      const printed = (pattern: RegExp) =>
        Effect.async<RegExpExecArray>((resume) => {
          const look = () => {
            const found = pattern.exec(output.stdout)
            if (found === null) return
            child.stdout.off("data", look)
            resume(Effect.succeed(found))
          }
          child.stdout.on("data", look)
          child.on("close", (code) =>
            resume(Effect.dieMessage(`ended with ${code} before it printed ${pattern}: ${output.stderr}`))
          )
          look()
        })
      child.on("spawn", () =>
        resume(
          Effect.succeed({ process: child, pid: child.pid ?? -1, output, ended: Effect.promise(() => closed), printed })
        )
      )
      child.on("error", (error) => resume(Effect.die(error)))
    }),
    (running) => Effect.sync(() => running.process.kill("SIGKILL")).pipe(Effect.zipRight(running.ended), Effect.asVoid)
  )

/** A port-server of the test's own. */
export interface PortServer extends Running {
  readonly port: number
  /** `host:port` for `PORT_SERVER_ADDR`. */
  readonly address: string
  readonly url: string
  /** Its `HOME`; no file of the machine's user is touched. */
  readonly home: string
  readonly database: string
}

/** Start the built port-server on a free port with a database file of its own, and wait until it listens. */
export const startServer = (
  options: {
    readonly args?: ReadonlyArray<string>
    readonly env?: Readonly<Record<string, string>>
    /** Default: a new temporary folder. */
    readonly folder?: string
    /** Default: any free one. */
    readonly port?: number
    /** Whether it skips ports that something listens on; by default not, for tests that know which port comes next. */
    readonly probe?: boolean
    /** Code of a module that its Node imports before the program. */
    readonly injected?: string
  } = {}
): Effect.Effect<PortServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const home = options.folder ?? (yield* temporaryFolder)
    const database = join(home, "ports.db")
    const args = [
      "--port",
      String(options.port ?? 0),
      "--db",
      database,
      ...(options.probe === true ? [] : ["--no-probe"])
    ]
    const [program, ...before] =
      options.injected === undefined
        ? [bin.portServer]
        : [
            process.execPath,
            `--import=data:text/javascript,${encodeURIComponent(options.injected)}`,
            `${bin.portServer}.cjs`
          ]
    const running = yield* start(program, [...before, ...args, ...(options.args ?? [])], {
      env: { HOME: home, ...options.env }
    })
    const [, digits = ""] = yield* running.printed(/listening on http:\/\/127\.0\.0\.1:(\d+), /)
    const address = `127.0.0.1:${digits}`
    return { ...running, port: Number(digits), address, url: `http://${address}`, home, database }
  })

/** Run the built portctl to its end, against a server where one is given. */
export const portctl = (
  args: ReadonlyArray<string>,
  options: { readonly server?: PortServer; readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {}
): Effect.Effect<Ended> =>
  start(bin.portctl, args, {
    env: { ...(options.server === undefined ? {} : { PORT_SERVER_ADDR: options.server.address }), ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd })
  }).pipe(
    Effect.flatMap((running) => running.ended),
    Effect.scoped
  )

/**
 * Run the built portctl in a folder as a user to whom its modes apply, and whose folder it is: where root runs the
 * tests, as nobody.
 */
export const portctlAsNormalUser = (
  args: ReadonlyArray<string>,
  folder: string,
  env: Readonly<Record<string, string>> = {}
): Effect.Effect<Ended> => {
  const isRoot = process.getuid?.() === 0
  const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", bin.portctl]
  if (isRoot) {
    for (const path of [".", ...readdirSync(folder, { recursive: true, encoding: "utf8" })]) {
      chownSync(join(folder, path), 65_534, 65_534)
    }
  }
  return start(isRoot ? "setpriv" : bin.portctl, isRoot ? [...nobody, ...args] : args, {
    cwd: folder,
    env
  }).pipe(
    Effect.flatMap((running) => running.ended),
    Effect.scoped
  )
}
