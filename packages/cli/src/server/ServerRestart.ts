import { join } from "node:path"
import { databaseFile, portRange } from "@port-server/domain/Defaults"
import { anyEngine } from "@port-server/domain/EngineChoice"
import { PortRangeFromText } from "@port-server/domain/PortRange"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import type { ServerSettings } from "@port-server/domain/Settings"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { ServerNotStarted } from "../errors/ServerErrors.ts"
import * as DataFolder from "../platform/DataFolder.ts"
import * as Process from "../platform/Process.ts"
import { preflight } from "./ServerLaunch.ts"
import { withServerLock } from "./ServerLock.ts"
import * as ServerOwner from "./ServerOwner.ts"
import * as ServerPaths from "./ServerPaths.ts"
import * as ServerProcess from "./ServerProcess.ts"
import { resolveSpec, type ServerFlags, toArguments } from "./ServerSpec.ts"
import { type Started, startLocked } from "./ServerStart.ts"
import * as ServerStop from "./ServerStop.ts"

/** Whether a file is the default; without a home there is none. */
const isDefault = (file: string, fallback: () => string): boolean => Process.attempt(() => file === fallback()) ?? false

/** How the server that runs at an address was started, without what is the default. */
export const settingsOf = (
  address: ServerAddress,
  { allow_hosts, database, engine = anyEngine, log, probe, range, socket = `${database}.sock` }: ServerInfo
): ServerSettings => ({
  ...(isDefault(database, () => join(DataFolder.path(), databaseFile)) ? {} : { database }),
  ...(range === `${portRange.first}-${portRange.last}`
    ? {}
    : Option.match(Schema.decodeOption(PortRangeFromText)(range), {
        onNone: () => ({}),
        onSome: (range) => ({ range })
      })),
  ...(probe === false ? { probe } : {}),
  ...(log === undefined || isDefault(log, () => ServerPaths.defaultLog(address)) ? {} : { log }),
  ...(engine === anyEngine ? {} : { engine }),
  ...(socket === `${database}.sock` ? {} : { socket }),
  ...(allow_hosts === undefined ? {} : { allow_hosts })
})

/** Let an effect come to its end, also when it is interrupted: nothing is left half done. */
const toItsEnd = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.forkDaemon(effect), (fiber) => Effect.onInterrupt(Fiber.join(fiber), () => Fiber.await(fiber)))

/** A server that runs after a restart, and whether one ran before. */
export interface Restarted extends Started {
  readonly wasRunning: boolean
}

/**
 * Stop the server at the address and start it again: by the flags, else the environment, else the settings, else as it
 * was. It is stopped only when a new one can start, and where that fails all the same, it runs again as before.
 */
export const restart = (address: ServerAddress, flags: ServerFlags) =>
  Effect.gen(function* () {
    const wanted = yield* resolveSpec(address, flags)
    const running = yield* ServerStop.find(address)
    if (Option.isNone(running)) {
      return { ...(yield* startLocked(wanted)), wasRunning: false } satisfies Restarted
    }
    yield* ServerOwner.assertOwn(address, running.value)
    yield* ServerOwner.assertMayStart(address, "portctl restart")
    yield* ServerProcess.assertMayStop(running.value.pid)
    const before = settingsOf(address, running.value)
    const effective = { ...Struct.omit(before, ...wanted.unset), ...wanted.effective }
    yield* preflight(toArguments(address, effective)).pipe(
      Effect.mapError(
        ({ message }) => new ServerNotStarted({ message: `${message}; port-server was not stopped and runs as before` })
      )
    )
    const again = Effect.isSuccess(startLocked({ address, flags: {}, given: {}, effective: before, unset: [] }))
    const started = yield* toItsEnd(
      Effect.zipRight(
        ServerProcess.terminate(running.value.pid),
        startLocked({ address, flags: {}, given: effective, effective, unset: [] }).pipe(
          Effect.catchAll((error) =>
            Effect.flatMap(again, (runs) =>
              runs
                ? new ServerNotStarted({ message: `${error.message}; port-server runs again as before` })
                : Effect.fail(error)
            )
          )
        )
      )
    )
    return { ...started, wasRunning: true } satisfies Restarted
  }).pipe(withServerLock(address))
