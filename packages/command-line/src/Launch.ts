import { constants } from "node:os"
import * as NodeRuntime from "@effect/platform-node-shared/NodeRuntime"
import * as Exit from "effect/Exit"
import * as Program from "./Program.ts"

/** A result that could not be written is a failure; a reader that went away early has what it wanted. */
const onStdoutError = (error: NodeJS.ErrnoException): void => {
  if (error.code === "EPIPE") return
  process.exitCode = 1
  process.stderr.write(`error: cannot write the output: ${error.message}\n`)
}

/** 128 and the number of the signal that came first, as shells report it. */
const signalExitStatus = (): (() => Program.ExitCode) => {
  let status = 0
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      status ||= 128 + constants.signals[signal]
    })
  }
  return () => status
}

/**
 * Run a program on the command line of this process, and exit.
 *
 * @param stopsBySignal a signal is how it is stopped, with status 0
 */
export const launch = (program: Program.ProgramInfo, stopsBySignal = false): void => {
  process.stdout.on("error", onStdoutError)
  // Node would open its debugger, and every user of this machine could run code by it.
  process.on("SIGUSR1", () => {})
  // Everything is done and written: an exit by itself would take the heap apart first, 5 % of a short command.
  process.once("beforeExit", () => process.exit())
  const interrupted = stopsBySignal ? () => 0 : signalExitStatus()
  NodeRuntime.runMain(Program.run(program, process.argv.slice(2)), {
    disableErrorReporting: true,
    teardown: (exit, onExit) => {
      const status = Exit.isSuccess(exit) && typeof exit.value === "number" ? exit.value : undefined
      if (status === undefined || status === 0) onExit(status ?? interrupted())
      // Another status ends this process at once: first it must be known whether the output could be written.
      else if (process.stdout.writableLength === 0) setImmediate(onExit, status)
      else process.stdout.write("", () => setImmediate(onExit, status))
    }
  })
}
