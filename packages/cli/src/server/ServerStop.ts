import type { ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { CliError } from "../errors/CliError.ts"
import * as ServerProbe from "./ServerProbe.ts"
import * as ServerProcess from "./ServerProcess.ts"

/** Stop the server at the address and wait until it is gone: what it was; none when none runs there. */
export const stop = (address: ServerAddress): Effect.Effect<Option.Option<ServerInfo>, CliError> =>
  Effect.gen(function* () {
    const standing = yield* ServerProbe.look(address)
    if (standing._tag === "Down") return Option.none()
    if (standing._tag !== "Running") return yield* ServerProbe.refusal(standing, address)
    const { info } = standing
    if (!ServerProcess.isIdentified(info.pid, address)) {
      // Somebody else may have asked it to stop since it answered; then it listens no more.
      const now = yield* ServerProbe.look(address)
      if (now._tag !== "Running" || now.info.pid !== info.pid) return yield* stop(address)
      return yield* ServerProcess.foreign(info.pid, address)
    }
    yield* ServerProcess.terminate(info.pid)
    return Option.some(info)
  })
