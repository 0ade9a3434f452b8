import { addressFromEnv, ServerUnreachable } from "@port-server/domain/api/PortServerClient"
import { variable } from "@port-server/domain/EnvConfig"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ServerProbe from "./ServerProbe.ts"
import * as ServerStart from "./ServerStart.ts"

/**
 * Start the server that a command did not find, unless it would be on another machine or `PORTCTL_AUTOSTART=0` forbids
 * it; then the command's own error stands. Says so in one line on stderr. Where another program listens, or there is no
 * such host, it tells that.
 */
export const autostart = Effect.fnUntraced(function* (error: ServerUnreachable) {
  const unstarted = (reason: string) => new ServerUnreachable({ address: error.address, reason })
  const said = yield* Effect.orDie(variable("PORTCTL_AUTOSTART", Schema.String, "1"))
  const asked = yield* Effect.orDie(addressFromEnv)
  // Nothing more is known of one that takes the connection and does not answer in time.
  if (error.code === undefined) return yield* error
  if (!error.isRefused) {
    const standing = yield* ServerProbe.look(asked)
    return yield* standing._tag === "Running" || standing._tag === "Down"
      ? error
      : unstarted(ServerProbe.refusal(standing, asked).message)
  }
  if (said === "0" || !ServerProbe.isLoopback(asked.host)) return yield* error
  const address = yield* Effect.mapError(ServerProbe.localAddress(Option.none()), ({ message }) => unstarted(message))
  const started = yield* Effect.mapError(
    ServerStart.start({ address, database: Option.none(), range: Option.none(), noProbe: false }),
    ({ message }) => unstarted(message)
  )
  if (started.isNew) yield* Console.error(ServerStart.sentence("started", address, started))
})
