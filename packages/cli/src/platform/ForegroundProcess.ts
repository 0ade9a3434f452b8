import { type ChildProcess, spawn } from "node:child_process"
import * as NodeFs from "node:fs"
import { constants } from "node:os"
import { isatty } from "node:tty"
import { complain } from "@port-server/command-line/ErrorReport"
import { Negative } from "@port-server/command-line/Program"
import * as Effect from "effect/Effect"
import { codeOf } from "../errors/FileError.ts"

/** How a command came to its end: with an exit status, or by a signal. */
type Ended = { readonly status: number } | { readonly signal: NodeJS.Signals }

/**
 * Whether the terminal sends its signals to this process, and so to the command too, which is in the same process group.
 * Linux tells in /proc/self/stat: state, parent, process group, session, terminal, the terminal's foreground group.
 */
const terminalSignalsGroup = (): boolean => {
  if (process.platform !== "linux") return isatty(0)
  const stat = NodeFs.readFileSync("/proc/self/stat", "utf8")
  const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return terminal !== "0" && foreground === group
}

const fromTerminal = ["SIGINT", "SIGQUIT"] as const
const forwarded = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const

/** Leave a signal to the system again: it ends this process. */
const restore = (signal: NodeJS.Signals): void => {
  if (signal === "SIGKILL" || signal === "SIGSTOP") return
  // Node ignores some from its start, and acts on others; a listener that goes leaves the system's own way.
  process.removeAllListeners(signal)
  const none = () => {}
  process.on(signal, none)
  process.off(signal, none)
}

/** Until there is a command that signals are for, they end this process. */
export const endOnSignal: Effect.Effect<void> = Effect.sync(() => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) restore(signal)
})

/** Start a child that gets the signals of this process from its first moment on. */
const startWithSignals = (start: () => ChildProcess): ChildProcess => {
  let child: ChildProcess | undefined
  // Listeners run after this turn, when there is a child; without them, it could outlive a signal to this process.
  for (const signal of fromTerminal) {
    process.on(signal, () => {
      if (!terminalSignalsGroup()) child?.kill(signal)
    })
  }
  for (const signal of forwarded) process.on(signal, () => child?.kill(signal))
  child = start()
  return child
}

const cannotStart = (command: string, error: unknown): readonly [status: number, message: string] => {
  const name = JSON.stringify(command)
  switch (codeOf(error)) {
    case "ENOENT":
      return [127, `command not found: ${name}`]
    case "EACCES":
      return [126, `cannot run ${name}: it is not an executable file`]
    case "E2BIG":
      return [126, `cannot run ${name}: its arguments are too long`]
    default:
      return [126, `cannot run ${name}: ${error instanceof Error ? error.message : error}`]
  }
}

/** End as the command did: with its status, or by the same signal. */
const endLike = (ended: Ended): Effect.Effect<void, Negative> =>
  Effect.suspend(() => {
    if ("status" in ended) return ended.status === 0 ? Effect.void : new Negative({ status: ended.status })
    restore(ended.signal)
    process.kill(process.pid, ended.signal)
    // The signal is on its way; as a shell says it where it did not come.
    return Effect.delay(new Negative({ status: 128 + (constants.signals[ended.signal] ?? 0) }), "1 second")
  })

/**
 * Run a command in the foreground, in place of this process as far as anybody can tell: its streams, its signals and
 * its end are this one's. One that cannot be started is an error of this process, with the statuses of a shell.
 */
export const run = (command: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv) =>
  Effect.async<Ended, readonly [status: number, message: string]>((resume) => {
    try {
      const child = startWithSignals(() => spawn(command, args, { env, stdio: "inherit" }))
      child.on("error", (error) => resume(Effect.fail(cannotStart(command, error))))
      child.on("exit", (status, signal) =>
        resume(Effect.succeed(signal === null ? { status: status ?? 0 } : { signal }))
      )
    } catch (error) {
      resume(Effect.fail(cannotStart(command, error)))
    }
  }).pipe(
    Effect.catchAll(([status, message]) => Effect.zipRight(complain(new Error(message)), new Negative({ status }))),
    Effect.flatMap(endLike)
  )
