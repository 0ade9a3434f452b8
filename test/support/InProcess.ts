import * as Program from "@port-server/command-line/Program"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

/** Run a command line of a program in this process, and return what it printed. */
export const runInProcess = (program: Program.ProgramInfo, argv: ReadonlyArray<string>) =>
  Console.consoleWith((console) =>
    Effect.suspend(() => {
      const printed = { stdout: "", stderr: "" }
      const captured: Console.Console = {
        ...console,
        log: (...args) =>
          Effect.sync(() => {
            printed.stdout += `${args.join(" ")}\n`
          }),
        error: (...args) =>
          Effect.sync(() => {
            printed.stderr += `${args.join(" ")}\n`
          })
      }
      return Effect.map(Console.withConsole(Program.run(program, argv), captured), (code) => ({ code, ...printed }))
    })
  )
