import type { ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Daemon from "./Daemon.ts"
import type { Failure } from "./Output.ts"
import * as ServerProcess from "./ServerProcess.ts"

/** The server that ran. */
export interface Stopped extends ServerInfo {
  /** Its command line. */
  readonly args: ReadonlyArray<string>
}

/** Stop the server at the address and wait until it is gone; none when none runs there. */
export const stop = (address: ServerAddress): Effect.Effect<Option.Option<Stopped>, Failure> =>
  Effect.gen(function* () {
    const standing = yield* Daemon.look(address)
    if (standing._tag === "Down") return Option.none()
    if (standing._tag !== "Running") return yield* Daemon.refusal(standing, address)
    const { info } = standing
    const args = ServerProcess.identified(info.pid, address)
    if (Option.isNone(args)) {
      // Somebody else may have asked it to stop since it answered; then it listens no more.
      const now = yield* Daemon.look(address)
      if (now._tag !== "Running" || now.info.pid !== info.pid) return yield* stop(address)
      return yield* ServerProcess.foreign(info.pid, address)
    }
    yield* ServerProcess.terminate(info.pid)
    return Option.some({ ...info, args: args.value })
  })
