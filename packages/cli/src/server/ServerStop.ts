import type { ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ServerNotStopped, type ServerUnusable } from "../errors/ServerErrors.ts"
import { withServerLock } from "./ServerLock.ts"
import * as ServerProbe from "./ServerProbe.ts"
import * as ServerProcess from "./ServerProcess.ts"

/** The server of this machine that runs at the address, if there is one; fails if it cannot be stopped. */
export const find = (
  address: ServerAddress
): Effect.Effect<Option.Option<ServerInfo>, ServerNotStopped | ServerUnusable> =>
  Effect.gen(function* () {
    const status = yield* ServerProbe.probe(address)
    const outside = yield* ServerProbe.findElsewhere(address, status)
    if (Option.isSome(outside)) {
      return yield* new ServerNotStopped({
        message: `the port-server at ${outside.value.at} runs outside of this sandbox or container: stop or restart it there`
      })
    }
    if (status._tag === "NotRunning") return Option.none()
    if (status._tag !== "Running") return yield* ServerProbe.toError(status, address)
    const { info } = status
    if (ServerProcess.isIdentified(info.pid, address)) return Option.some(info)
    // Something else may have stopped it since it responded; then it no longer listens.
    const now = yield* ServerProbe.probe(address)
    if (now._tag !== "Running" || now.info.pid !== info.pid) return yield* find(address)
    return yield* ServerProcess.notALocalServer(info.pid, address)
  })

/** The process of the server at the address, also of one that does not respond. */
const findProcess = (address: ServerAddress) =>
  find(address).pipe(
    Effect.map(Option.map(({ pid }) => ({ pid }))),
    Effect.catchTag("ServerUnusable", (error) => {
      const pid = ServerProcess.listeningAt(address)
      return pid === undefined ? error : Effect.succeedSome({ pid })
    })
  )

/** Stop the server at the address and wait until it has ended: its process; none when none runs there. */
export const stop = (address: ServerAddress) =>
  findProcess(address).pipe(
    Effect.tap((found) => (Option.isSome(found) ? ServerProcess.terminate(found.value.pid) : Effect.void)),
    withServerLock(address)
  )
