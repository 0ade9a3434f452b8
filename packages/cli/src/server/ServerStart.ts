import { spawn } from "node:child_process"
import { closeSync, fstatSync, openSync, readSync, unlinkSync } from "node:fs"
import { realpath } from "node:fs/promises"
import { join, resolve } from "node:path"
import { addressFromEnv } from "@port-server/domain/api/PortServerClient"
import { portRange } from "@port-server/domain/Defaults"
import { escapeControls } from "@port-server/domain/Name"
import type { PortRange } from "@port-server/domain/Port"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
import * as ServerPaths from "./ServerPaths.ts"
import { look, refusal } from "./ServerProbe.ts"

/** The server that is wanted at an address. */
export interface ServerSpec {
  readonly address: ServerAddress
  /** Path of its database, absolute; none: the server's default. */
  readonly database: Option.Option<string>
  readonly range: Option.Option<PortRange>
  readonly noProbe: boolean
}

/** The server that runs now, whether it was started for this, and where the log is of one that was. */
export interface Started extends ServerInfo {
  readonly isNew: boolean
  readonly log: string
}

/** How long a server may take until it is healthy. */
const patience = "10 seconds"

/** The port was somebody else's when the server came to it, and is free again. */
class PortRaceLost extends Schema.TaggedError<PortRaceLost>()("PortRaceLost", { message: Schema.String }) {}

/**
 * What a server has of the environment that it is started from. It outlives that: the secrets in it, and the debugger
 * that may be attached to every child, are no affair of the server's.
 */
const environment = (): Record<string, string> => {
  const kept = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_.*|TZ|TMPDIR|LD_LIBRARY_PATH|PORT_SERVER_(DB|RANGE))$/
  const result: Record<string, string> = {}
  for (const [name, value = ""] of Object.entries(process.env)) if (kept.test(name)) result[name] = value
  // The server runs in another folder than this.
  const { PORT_SERVER_DB: database } = result
  if (database) result["PORT_SERVER_DB"] = resolve(database)
  return result
}

/** The command line of the server that is wanted. */
export const toArguments = ({ address, database, noProbe, range }: ServerSpec): ReadonlyArray<string> => [
  "--port",
  String(address.port),
  ...Option.match(database, { onNone: () => [], onSome: (file) => ["--db", file] }),
  ...Option.match(range, { onNone: () => [], onSome: (range) => ["--range", String(range)] }),
  ...(noProbe ? ["--no-probe"] : [])
]

/** A file without a name, for what a server says before it has a log. A pipe would break when this program ends. */
const unlinkedTempFile = (folder: string) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        const file = join(folder, `.start-${process.pid}-${performance.now()}`)
        const descriptor = openSync(file, "wx+", 0o600)
        unlinkSync(file)
        return descriptor
      },
      catch: () => CliError.make(`cannot write into the folder ${folder}`)
    }),
    (descriptor) => Effect.sync(() => closeSync(descriptor))
  )

const textOf = (descriptor: number): string => {
  const bytes = Buffer.alloc(fstatSync(descriptor).size)
  return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0)).toString("utf8")
}

/** The sentence that a server ended with. */
const exitMessage = (text: string): string => {
  const lines = text.split("\n").filter((line) => line !== "")
  return (lines.find((line) => line.startsWith("error: ")) ?? lines.at(-1) ?? "it ended without a word").replace(
    /^error: /,
    ""
  )
}

/** The process of a server, in a session of its own; ended with the scope unless it is let go. */
const launch = Effect.fnUntraced(function* (wanted: ServerSpec, log: string, errors: number) {
  const program = yield* ServerPaths.program
  return yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(program, [...toArguments(wanted), "--log", log], {
        cwd: "/",
        detached: true,
        env: environment(),
        stdio: ["ignore", "ignore", errors]
      })
      child.unref()
      // That it could not even be started shows as its end.
      let hasFailed = false
      child.on("error", () => {
        hasFailed = true
      })
      let isWanted = false
      return {
        pid: child.pid,
        hasEnded: () => hasFailed || child.exitCode !== null || child.signalCode !== null,
        detach: () => {
          isWanted = true
        },
        end: () => {
          if (!isWanted) child.kill()
        }
      }
    }),
    (process) => Effect.sync(process.end)
  )
})

/** Start a server and wait until it is that very one that answers, or another one that was faster. */
const race = Effect.fnUntraced(function* (wanted: ServerSpec, folder: string) {
  const { address } = wanted
  const log = ServerPaths.logFile(folder, address.port)
  const errors = yield* unlinkedTempFile(folder)
  const child = yield* launch(wanted, log, errors)
  const settled = Effect.gen(function* () {
    // Before the look: what answers after the child's end is another one.
    const ended = child.hasEnded()
    const standing = yield* look(address)
    if (standing._tag === "Running" && (ended || standing.info.pid === child.pid)) {
      child.detach()
      return Option.some<Started>({ ...standing.info, isNew: standing.info.pid === child.pid, log })
    }
    if (!ended || standing._tag === "Unwell") return Option.none()
    const words = exitMessage(textOf(errors))
    const message = `port-server did not start: ${words} (log: ${log})`
    if (standing._tag === "Down" && /already in use/.test(words)) return yield* new PortRaceLost({ message })
    return yield* CliError.make(standing._tag === "Foreign" ? standing.message : message)
  })
  return yield* settled.pipe(
    Effect.tap(Option.match({ onNone: () => Effect.sleep("20 millis"), onSome: () => Effect.void })),
    Effect.repeat({ until: Option.isSome }),
    Effect.flatMap(Effect.orDie)
  )
}, Effect.scoped)

const samePath = (one: string, other: string) =>
  one === other
    ? Effect.succeed(true)
    : Effect.promise(async () => (await realpath(one)) === (await realpath(other))).pipe(
        Effect.catchAllDefect(() => Effect.succeed(false))
      )

/** Fails when a server runs otherwise than it is wanted. */
const assertSameSettings = Effect.fnUntraced(function* (
  { address, database, noProbe, range }: ServerSpec,
  info: ServerInfo
) {
  const { port: usual } = yield* Effect.orDie(addressFromEnv)
  const which = address.port === usual ? "" : ` --port ${address.port}`
  const differs = (how: string, flag: string) =>
    CliError.make(
      `port-server is already running at ${address} (pid ${info.pid}) ${how}; to change that: portctl restart${which} ${flag}`
    )
  if (Option.isSome(database) && !(yield* samePath(database.value, info.database))) {
    return yield* differs(`with the database ${info.database}`, `--db ${database.value}`)
  }
  if (Option.isSome(range) && String(range.value) !== info.range) {
    return yield* differs(`with the range ${info.range}`, `--range ${range.value}`)
  }
  if (noProbe && info.probe !== false) return yield* differs("without --no-probe", "--no-probe")
})

/** See to it that a server runs at the address, and wait until it answers. */
export const start = Effect.fnUntraced(function* (wanted: ServerSpec) {
  const { address } = wanted
  const standing = yield* look(address)
  if (standing._tag === "Foreign" || standing._tag === "Away") return yield* refusal(standing, address)
  const folder = yield* ServerPaths.dataFolder
  const started: Started =
    standing._tag === "Running"
      ? { ...standing.info, isNew: false, log: ServerPaths.logFile(folder, address.port) }
      : yield* race(wanted, folder).pipe(
          Effect.retry({ while: (error) => error._tag === "PortRaceLost", schedule: Schedule.spaced("200 millis") }),
          Effect.catchTag("PortRaceLost", ({ message }) => CliError.make(message)),
          Effect.timeoutFail({
            duration: patience,
            onTimeout: () =>
              CliError.make(
                `port-server was started and is not healthy after ${patience} (log: ${ServerPaths.logFile(folder, address.port)})`
              )
          })
        )
  if (!started.isNew) yield* assertSameSettings(wanted, started)
  return started
})

const usualRange = `${portRange.first}-${portRange.last}`

/** What was started, in a sentence. */
export const sentence = (
  done: "started" | "restarted",
  address: ServerAddress,
  { database, isNew, log, pid, range }: Started
): string =>
  [
    `${isNew ? `${done} port-server` : "port-server is already running"} at ${address} (pid ${pid})`,
    `database ${escapeControls(database)}`,
    ...(range === usualRange ? [] : [`range ${range}`]),
    ...(isNew ? [`log ${escapeControls(log)}`] : [])
  ].join(", ")
