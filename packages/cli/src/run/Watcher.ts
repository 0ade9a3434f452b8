import { spawn } from "node:child_process"
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  type Stats,
  statSync
} from "node:fs"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import { attempt, isOwnProc, startOf } from "../platform/Process.ts"
import { commandPid } from "./CommandEnvironment.ts"

/** What is watched. */
export interface Watched {
  /** The working copy, such as `shop/main`. */
  readonly label: string
  /** The ports that the command was given, each with the variable that has it. */
  readonly given: ReadonlyMap<number, string>
  /** The variable that `portctl run` sets, and its value for this command. */
  readonly marker: readonly [name: string, value: string]
}

/** Of the flags in /proc/PID/fdinfo, that of a descriptor that a new program does not get. */
const closeOnExec = 0o2000000

/** The descriptors above 2 that a new program gets: those of the caller that Node has not set apart. */
const passedOn = (): ReadonlyArray<number> =>
  readdirSync("/proc/self/fd").flatMap((name) => {
    const descriptor = Number(name)
    const info = attempt(() => readFileSync(`/proc/self/fdinfo/${name}`, "latin1")) ?? ""
    const [, flags = ""] = /^flags:\s*([0-7]+)$/m.exec(info) ?? []
    return descriptor > 2 && flags !== "" && (Number.parseInt(flags, 8) & closeOnExec) === 0 ? [descriptor] : []
  })

const isNull = ({ rdev }: Stats): boolean => rdev !== 0 && rdev === statSync("/dev/null").rdev

/**
 * Start the watcher of the process that becomes the command: in a session of its own, with nothing of the caller's but
 * stderr, and not that where it is a pipe. So no signal to the command reaches it. Where it cannot be, there is none.
 */
export const watch = ({ given, label, marker }: Watched): Effect.Effect<void> =>
  Effect.sync(() => {
    const program = join(dirname(realpathSync(process.argv[1] ?? "")), "portctl-watch.cjs")
    const pid = commandPid() ?? 0
    const start = isOwnProc() ? startOf(pid) : undefined
    const stderr = fstatSync(2)
    if (start === undefined || !existsSync(program) || isNull(stderr)) return
    // Who reads a pipe to its end would wait for all that have it open.
    const pipe = stderr.isFIFO() ? String(stderr.ino) : ""
    const nothing = openSync("/dev/null", "r+")
    const passed = passedOn()
    const pairs = [...given].map(([port, variable]) => `${port}=${variable}`)
    const child = spawn(process.execPath, [program, String(pid), start, pipe, label, ...marker, ...pairs], {
      cwd: "/",
      detached: true,
      env: {},
      // Node has no other way to close a descriptor in a child than to put another file in its place.
      stdio: Array.from({ length: Math.max(2, ...passed) + 1 }, (_, descriptor) =>
        descriptor === 2 && pipe === "" ? "inherit" : passed.includes(descriptor) ? nothing : "ignore"
      )
    })
    child.on("error", () => {})
    child.unref()
    closeSync(nothing)
  }).pipe(Effect.ignoreLogged)
