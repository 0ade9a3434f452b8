import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { freePorts } from "./Listening.ts"
import { bin, type Ended, start, temporaryFolder } from "./Programs.ts"
import { call } from "./Wire.ts"

const pidOf = Schema.decodeUnknownSync(Schema.Struct({ pid: Schema.Int }))

/** The process that answers as port-server on a port. */
export const pidAt = (port: number): Effect.Effect<number> =>
  Effect.map(call(port, "GET", "/v1/server"), ({ json }) => pidOf(json).pid)

/** Whether a process runs: one that has ended and that nobody has asked how yet does not. */
export const isAlive = (pid: number): boolean => {
  try {
    if (existsSync(`/proc/${pid}/stat`)) return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** A user of the daemon: a home and an address of their own, both for the test alone. */
export interface User {
  readonly home: string
  readonly port: number
  /** `host:port`, which is the user's `PORT_SERVER_ADDR`. */
  readonly address: string
  readonly log: string
  readonly database: string
  readonly env: Readonly<Record<string, string>>
  /** Run portctl, or another program, to its end. */
  readonly portctl: (
    args: string,
    options?: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string; readonly program?: string }
  ) => Effect.Effect<Ended>
  /** Run a script of bash, in which `$portctl` is the program. */
  readonly bash: (script: string) => Effect.Effect<Ended>
}

/** A user of their own; a server that is left at their address at the end is stopped. */
export const user: Effect.Effect<User, never, Scope.Scope> = Effect.gen(function* () {
  const home = yield* temporaryFolder
  const port = yield* freePorts(1)
  const address = `127.0.0.1:${port}`
  const env = { HOME: home, PORT_SERVER_ADDR: address }
  const run = (program: string, args: ReadonlyArray<string>, options: Parameters<typeof start>[2] = {}) =>
    start(program, args, { cwd: home, ...options, env: { ...env, ...options.env } }).pipe(
      Effect.flatMap(({ ended }) => ended),
      Effect.scoped
    )
  const portctl: User["portctl"] = (args, { program = bin.portctl, ...options } = {}) =>
    run(program, args.split(" "), options)
  yield* Effect.addFinalizer(() => portctl("stop"))
  return {
    home,
    port,
    address,
    log: join(home, `.port_server/port-server-${port}.log`),
    database: join(home, ".port_server/ports.db"),
    env,
    portctl,
    bash: (script) => run("bash", ["-c", script], { env: { portctl: bin.portctl } })
  }
})
