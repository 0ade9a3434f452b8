import { spawnSync } from "node:child_process"
import * as Effect from "effect/Effect"
import { bin, type PortServer, start, temporaryFolder } from "./Programs.ts"

/** What happens to a system call on a path, such as `EMFILE`. */
export interface Fault {
  readonly path: string
  readonly error: string
}

/** strace that makes opening a path fail for a program and its children; the process is the program itself. */
const failing = ({ error, path }: Fault): ReadonlyArray<string> => [
  "-D",
  "-f",
  "-qq",
  "-o",
  "/dev/null",
  "-P",
  path,
  "-e",
  `inject=open,openat:error=${error}`
]

/** Why no faults can be injected here, if none can. */
export const noFaultInjection: string | undefined = (() => {
  const { status } = spawnSync("strace", [...failing({ path: "/proc", error: "EMFILE" }), "true"])
  return status === 0 ? undefined : "it needs strace, and the right to trace"
})()

/** The built port-server, as `startServer` starts it, with opening a path failing from its start on. */
export const startFaulty = (fault: Fault, args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const home = yield* temporaryFolder
    const database = `${home}/ports.db`
    const command = [...failing(fault), bin.portServer, "--port", "0", "--db", database, ...args]
    const running = yield* start("/usr/bin/strace", command, { env: { HOME: home, ...env } })
    const [, digits = ""] = yield* running.printed(/listening on http:\/\/127\.0\.0\.1:(\d+), /)
    const address = `127.0.0.1:${digits}`
    const server: PortServer = { ...running, port: Number(digits), address, url: `http://${address}`, home, database }
    return server
  })
