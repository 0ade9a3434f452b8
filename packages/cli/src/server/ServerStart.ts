import { existsSync } from "node:fs"
import { realpath } from "node:fs/promises"
import { portRange } from "@port-server/domain/Defaults"
import { escapeControls } from "@port-server/domain/Name"
import { type Address, isSocketAddress, type ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { ServerNotStarted, type ServerUnusable, type SettingsUnusable } from "../errors/ServerErrors.ts"
import * as DataFolder from "../platform/DataFolder.ts"
import * as PortLimits from "../platform/PortLimits.ts"
import * as User from "../platform/User.ts"
import { usualAddress } from "../settings/UsualAddress.ts"
import { launch } from "./ServerLaunch.ts"
import { unlessLocked, withServerLock } from "./ServerLock.ts"
import * as ServerOwner from "./ServerOwner.ts"
import * as ServerPaths from "./ServerPaths.ts"
import { findElsewhere, probe, toError } from "./ServerProbe.ts"
import { noFlags, resolveSpec, type ServerFlags, type ServerSpec, toArguments } from "./ServerSpec.ts"
import * as StartMemory from "./StartMemory.ts"

/** The server that runs now, and whether this call has started it. */
export interface Started extends ServerInfo {
  /** By its socket where it runs outside of this network. */
  readonly at: Address
  readonly isNew: boolean
}

/** How long a server may take until it is healthy. */
const patience = "15 seconds"

/** The server ended before it was healthy for a reason that may be over: another one had the port, or it was killed. */
class StartLost extends Data.TaggedError("StartLost")<{ readonly message: string }> {}

/** The log file of a server that is to be started; the data folder is made only where something is put into it. */
const logFile = ({ address, effective: { database, log } }: ServerSpec) =>
  log !== undefined && (database !== undefined || User.sudoUid === undefined)
    ? Effect.succeed(log)
    : ServerPaths.usualLog(DataFolder.make, address, database).pipe(
        Effect.map((usual) => log ?? usual),
        Effect.mapError(({ message }) => new ServerNotStarted({ message }))
      )

/** Start a server and wait until it is the one that responds, or another one that was faster. */
const startAndWait = (spec: ServerSpec) =>
  Effect.gen(function* () {
    const { address, effective } = spec
    const log = yield* logFile(spec)
    // There is none where that is what it failed at.
    const seeLog = () => (existsSync(log) ? ` (log: ${log})` : "")
    const child = yield* launch(toArguments(address, { ...effective, log }), log)
    const poll = Effect.gen(function* () {
      // Before the probe: what responds after the child's end is another server.
      const ended = child.ended()
      const status = yield* probe(address)
      if (status._tag === "Running" && (ended !== undefined || status.info.pid === child.pid)) {
        child.detach()
        return Option.some<Started>({ ...status.info, at: address, isNew: status.info.pid === child.pid })
      }
      if (ended === undefined || status._tag === "Unhealthy") return Option.none()
      const message = `port-server did not start: ${ended.message}${seeLog()}`
      if (ended.isKilled || (status._tag === "NotRunning" && /already in use/.test(ended.message))) {
        return yield* new StartLost({ message })
      }
      return yield* new ServerNotStarted({ message: status._tag === "NotPortServer" ? status.message : message })
    })
    return yield* poll.pipe(
      Effect.tap(Option.match({ onNone: () => Effect.sleep("20 millis"), onSome: () => Effect.void })),
      Effect.repeat({ until: Option.isSome }),
      Effect.flatMap(Effect.orDie),
      Effect.timeoutFail({
        duration: patience,
        onTimeout: () =>
          new ServerNotStarted({
            message: `port-server was started and is not healthy after ${patience}${seeLog()}`
          })
      })
    )
  }).pipe(Effect.scoped)

const isSamePath = (one: string, other: string) =>
  one === other
    ? Effect.succeed(true)
    : Effect.promise(async () => (await realpath(one)) === (await realpath(other))).pipe(
        Effect.catchAllDefect(() => Effect.succeed(false))
      )

/** Fails when a server runs otherwise than the flags want it. */
const assertSameSettings = Effect.fnUntraced(function* ({ address, flags }: ServerSpec, info: ServerInfo) {
  const usual = yield* Effect.option(usualAddress)
  const which = Option.exists(usual, (each) => !isSocketAddress(each) && each.port === address.port)
    ? ""
    : ` --port ${address.port}`
  const differs = (how: string, flag: string) =>
    new ServerNotStarted({
      message: `port-server is already running at ${address} (pid ${info.pid}) ${how}; to change that: portctl restart${which} ${flag}`
    })
  const { allow_hosts, database, engine, log, probe, range, socket } = flags
  if (database !== undefined && !(yield* isSamePath(database, info.database))) {
    return yield* differs(`with the database ${info.database}`, `--db ${database}`)
  }
  if (range !== undefined && String(range) !== info.range) {
    return yield* differs(`with the range ${info.range}`, `--range ${range}`)
  }
  if (engine !== undefined && engine !== info.engine) {
    return yield* differs(`with the container engine ${info.engine}`, `--engine ${engine}`)
  }
  if (log !== undefined && (info.log === undefined || !(yield* isSamePath(log, info.log)))) {
    return yield* differs(
      `with ${info.log === undefined ? "no log file that it tells" : `the log ${info.log}`}`,
      `--log ${log}`
    )
  }
  if (socket !== undefined && (info.socket === undefined || !(yield* isSamePath(socket, info.socket)))) {
    return yield* differs(
      `with ${info.socket === undefined ? "no socket" : `the socket ${info.socket}`}`,
      `--socket ${socket}`
    )
  }
  if (allow_hosts !== undefined && allow_hosts.join(",") !== (info.allow_hosts ?? []).join(",")) {
    return yield* differs(
      `with ${info.allow_hosts === undefined ? "no allowed host" : `the allowed hosts ${info.allow_hosts.join(",")}`}`,
      `--allow-host ${allow_hosts.join(",")}`
    )
  }
  if (probe === false && info.probe !== false) return yield* differs("without --no-probe", "--no-probe")
  if (probe === true && info.probe === false) return yield* differs("with --no-probe", "--probe")
})

/** {@link start}, for one that has the lock of the server already. */
export const startLocked = (spec: ServerSpec): Effect.Effect<Started, ServerNotStarted | ServerUnusable> =>
  Effect.gen(function* () {
    const { address, flags, given } = spec
    const status = yield* probe(address)
    const outside = yield* findElsewhere(address, status)
    if (Option.isSome(outside)) {
      const { at, info } = outside.value
      yield* assertSameSettings(spec, info)
      return { ...info, at, isNew: false }
    }
    if (status._tag === "NotPortServer" || status._tag === "Unreachable") return yield* toError(status, address)
    yield* status._tag === "Running" ? ServerOwner.assertOwn(address, status.info) : ServerOwner.assertMayStart(address)
    const started =
      status._tag === "Running"
        ? { ...status.info, at: address, isNew: false }
        : yield* startAndWait(spec).pipe(
            Effect.retry({
              while: ({ _tag }) => _tag === "StartLost",
              schedule: Schedule.intersect(Schedule.spaced("100 millis"), Schedule.recurs(20))
            }),
            Effect.catchTag("StartLost", ({ message }) => new ServerNotStarted({ message }))
          )
    if (!started.isNew) yield* assertSameSettings(spec, started)
    // One that was running may still have what was unset.
    yield* StartMemory.remember(address, started.isNew ? { ...given, unset: [] } : flags)
    return started
  })

/** Make sure that a server runs at the address, and wait until it responds; it is started as the settings have it. */
export const start = (
  address: ServerAddress,
  flags: ServerFlags
): Effect.Effect<Started, ServerNotStarted | ServerUnusable | SettingsUnusable> =>
  Effect.flatMap(resolveSpec(address, flags), startLocked).pipe(withServerLock(address))

/** The same without flags; none when another portctl was at it, whose end was awaited instead. */
export const startUnlessLocked = (
  address: ServerAddress
): Effect.Effect<Option.Option<Started>, ServerNotStarted | ServerUnusable | SettingsUnusable> =>
  Effect.flatMap(resolveSpec(address, noFlags), startLocked).pipe(unlessLocked(address))

const defaultRange = `${portRange.first}-${portRange.last}`

/** The sentence about a server that was started. */
export const describeStarted = (
  done: "started" | "restarted",
  { at, database, isNew, log, pid, range }: Started
): string =>
  [
    `${isNew ? `${done} port-server` : "port-server is already running"} at ${at} (pid ${pid})`,
    `database ${escapeControls(database)}`,
    ...(range === defaultRange ? [] : [`range ${escapeControls(range)}`]),
    ...(isNew && log !== undefined ? [`log ${escapeControls(log)}`] : [])
  ].join(", ")

/** Note a range from which the system, too, takes ports, or that this user may not bind. */
export const noteRange = (range: string): Effect.Effect<void> =>
  Effect.forEach([PortLimits.ephemeralNote(range), PortLimits.privilegedRangeNote(range)], (note) =>
    note === undefined ? Effect.void : Console.error(escapeControls(note))
  )
