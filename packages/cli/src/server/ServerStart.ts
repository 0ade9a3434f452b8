import { realpath } from "node:fs/promises"
import { dirname } from "node:path"
import { portRange } from "@port-server/domain/Defaults"
import { escapeControls } from "@port-server/domain/Name"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
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
import * as SettingsFile from "../settings/SettingsFile.ts"
import { usualAddress } from "../settings/UsualAddress.ts"
import { launch } from "./ServerLaunch.ts"
import { unlessLocked, withServerLock } from "./ServerLock.ts"
import * as ServerOwner from "./ServerOwner.ts"
import * as ServerPaths from "./ServerPaths.ts"
import { probe, toError } from "./ServerProbe.ts"
import { noFlags, resolveSpec, type ServerFlags, type ServerSpec, toArguments } from "./ServerSpec.ts"

/** The server that runs now, whether it was started for this, and where the log is of one that was; else it is empty. */
export interface Started extends ServerInfo {
  readonly isNew: boolean
  readonly log: string
}

/** How long a server may take until it is healthy. */
const patience = "15 seconds"

/** The server ended before it was healthy for a reason that may be over: another one had the port, or it was killed. */
class StartLost extends Data.TaggedError("StartLost")<{ readonly message: string }> {}

/** Start a server and wait until it is the one that responds, or another one that was faster. */
const startAndWait = ({ address, effective }: ServerSpec) =>
  Effect.gen(function* () {
    if (effective.log === undefined || (effective.database === undefined && User.sudoUid !== undefined)) {
      const elsewhere = effective.database === undefined ? "" : "; portctl start --log FILE puts the log elsewhere"
      yield* Effect.mapError(
        DataFolder.make,
        ({ message }) => new ServerNotStarted({ message: `${message}${elsewhere}` })
      )
    }
    const log = effective.log ?? ServerPaths.defaultLog(address)
    const child = yield* launch(toArguments(address, { ...effective, log }), dirname(log))
    const poll = Effect.gen(function* () {
      // Before the probe: what responds after the child's end is another server.
      const ended = child.ended()
      const status = yield* probe(address)
      if (status._tag === "Running" && (ended !== undefined || status.info.pid === child.pid)) {
        child.detach()
        return Option.some<Started>({ ...status.info, isNew: status.info.pid === child.pid, log })
      }
      if (ended === undefined || status._tag === "Unhealthy") return Option.none()
      const message = `port-server did not start: ${ended.message} (log: ${log})`
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
            message: `port-server was started and is not healthy after ${patience} (log: ${log})`
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
  const which = Option.exists(usual, ({ port }) => port === address.port) ? "" : ` --port ${address.port}`
  const differs = (how: string, flag: string) =>
    new ServerNotStarted({
      message: `port-server is already running at ${address} (pid ${info.pid}) ${how}; to change that: portctl restart${which} ${flag}`
    })
  const { database, engine, probe, range } = flags
  if (database !== undefined && !(yield* isSamePath(database, info.database))) {
    return yield* differs(`with the database ${info.database}`, `--db ${database}`)
  }
  if (range !== undefined && String(range) !== info.range) {
    return yield* differs(`with the range ${info.range}`, `--range ${range}`)
  }
  if (engine !== undefined && engine !== info.engine) {
    return yield* differs(`with the container engine ${info.engine}`, `--engine ${engine}`)
  }
  if (probe === false && info.probe !== false) return yield* differs("without --no-probe", "--no-probe")
  if (probe === true && info.probe === false) return yield* differs("with --no-probe", "--probe")
})

/** Keep how a server was started. It runs, so that what cannot be kept is a note only. */
const remember = (address: ServerAddress, given: ServerSpec["given"]) =>
  Effect.catchAll(SettingsFile.remember(address, given), ({ message }) =>
    Console.error(`note: how port-server was started is not kept for the next start: ${message}`)
  )

/** {@link start}, for one that has the lock of the server already. */
export const startLocked = (spec: ServerSpec): Effect.Effect<Started, ServerNotStarted | ServerUnusable> =>
  Effect.gen(function* () {
    const { address, flags, given } = spec
    const status = yield* probe(address)
    if (status._tag === "NotPortServer" || status._tag === "Unreachable") return yield* toError(status, address)
    yield* status._tag === "Running" ? ServerOwner.assertOwn(address, status.info) : ServerOwner.assertMayStart(address)
    const started =
      status._tag === "Running"
        ? { ...status.info, isNew: false, log: "" }
        : yield* startAndWait(spec).pipe(
            Effect.retry({
              while: ({ _tag }) => _tag === "StartLost",
              schedule: Schedule.intersect(Schedule.spaced("100 millis"), Schedule.recurs(20))
            }),
            Effect.catchTag("StartLost", ({ message }) => new ServerNotStarted({ message }))
          )
    if (!started.isNew) yield* assertSameSettings(spec, started)
    yield* remember(address, started.isNew ? given : flags)
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
  address: ServerAddress,
  { database, isNew, log, pid, range }: Started
): string =>
  [
    `${isNew ? `${done} port-server` : "port-server is already running"} at ${address} (pid ${pid})`,
    `database ${escapeControls(database)}`,
    ...(range === defaultRange ? [] : [`range ${range}`]),
    ...(isNew ? [`log ${escapeControls(log)}`] : [])
  ].join(", ")

/** Note a range from which the system, too, takes ports. */
export const noteRange = (range: string): Effect.Effect<void> => {
  const note = PortLimits.ephemeralNote(range)
  return note === undefined ? Effect.void : Console.error(note)
}
