import { execFile, spawn } from "node:child_process"
import { closeSync, fstatSync, openSync, readSync, unlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { tokenVariable } from "@port-server/domain/AccessToken"
import { allowHost } from "@port-server/domain/ServerFlags"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { cannotWrite } from "../errors/FileError.ts"
import { ServerNotStarted } from "../errors/ServerErrors.ts"
import * as InheritedDescriptors from "../platform/InheritedDescriptors.ts"
import * as ServerPaths from "./ServerPaths.ts"

/** A server's process while nothing is known of it but that it was started. */
export interface ServerChild {
  readonly pid: number | undefined
  /** How it ended, if it has: what it printed last, or the signal. */
  readonly ended: () => { readonly message: string; readonly isKilled: boolean } | undefined
  /** Let it outlive the scope. */
  readonly detach: () => void
}

const kept = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_.*|TZ|TMPDIR|LD_LIBRARY_PATH|XDG_RUNTIME_DIR|DOCKER_CONFIG)$/

/**
 * The part of the environment that a server gets. It outlives its caller: secrets, and a debugger that attaches to every
 * child, must not leak into it. How it is started is all on its command line, but
 * for its own secret.
 */
const environment = (args: ReadonlyArray<string>): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => kept.test(name) || (name === tokenVariable && args.includes(`--${allowHost.name}`))
    )
  )

const unlinkedTempFile = (folder: string): number => {
  const file = join(folder, `.start-${process.pid}-${performance.now()}`)
  const descriptor = openSync(file, "wx+", 0o600)
  unlinkSync(file)
  return descriptor
}

/**
 * A file without a name, for what a server prints before it has a log. A pipe would break when this program ends. It is
 * beside the log, if that folder is there already and can be written.
 */
const outputFile = (log: string) =>
  Effect.acquireRelease(
    Effect.orElse(
      Effect.try(() => unlinkedTempFile(dirname(log))),
      () =>
        Effect.try({
          try: () => unlinkedTempFile(tmpdir()),
          catch: (error) => new ServerNotStarted({ message: cannotWrite(tmpdir(), error) })
        })
    ),
    (descriptor) => Effect.sync(() => closeSync(descriptor))
  )

/** The error that a server printed, or its last line. */
const exitMessage = (output: string): string => {
  const lines = output.split("\n").filter((line) => line !== "")
  const line = lines.find((each) => each.startsWith("error: ")) ?? lines.at(-1) ?? "it exited without output"
  return line.replace(/^error: /, "")
}

const textOf = (descriptor: number): string => {
  const bytes = Buffer.alloc(fstatSync(descriptor).size)
  return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0)).toString("utf8")
}

/**
 * Start port-server in a session of its own; it is ended with the scope unless it is detached.
 *
 * @param log the log that its command line names
 */
export const launch = (
  args: ReadonlyArray<string>,
  log: string
): Effect.Effect<ServerChild, ServerNotStarted, Scope.Scope> =>
  Effect.gen(function* () {
    const program = yield* ServerPaths.program
    const output = yield* outputFile(log)
    return yield* Effect.acquireRelease(
      Effect.sync(() => {
        InheritedDescriptors.close()
        const child = spawn(program, args, {
          cwd: "/",
          detached: true,
          env: environment(args),
          stdio: ["ignore", "ignore", output]
        })
        child.unref()
        let failure: Error | undefined
        child.on("error", (error) => {
          failure = error
        })
        let isDetached = false
        return {
          pid: child.pid,
          ended: () => {
            if (failure !== undefined) return { message: failure.message, isKilled: false }
            if (child.signalCode !== null) return { message: `it was ended by ${child.signalCode}`, isKilled: true }
            return child.exitCode === null ? undefined : { message: exitMessage(textOf(output)), isKilled: false }
          },
          detach: () => {
            isDetached = true
          },
          stop: () => {
            if (!isDetached) child.kill()
          }
        }
      }),
      (child) => Effect.sync(child.stop)
    )
  })

/** Fails with the reason when a server with this command line could not start. Nothing is changed. */
export const preflight = (args: ReadonlyArray<string>): Effect.Effect<void, ServerNotStarted> =>
  Effect.flatMap(ServerPaths.program, (program) =>
    Effect.async((resume) => {
      const options = { cwd: "/", env: environment(args), timeout: 10_000 }
      const child = execFile(program, [...args, "--dry-run"], options, (error, _stdout, stderr) =>
        resume(error === null ? Effect.void : new ServerNotStarted({ message: exitMessage(stderr) }))
      )
      return Effect.sync(() => child.kill())
    })
  )
