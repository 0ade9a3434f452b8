import * as Command from "@effect/cli/Command"
import { describe } from "@port-server/program/Description"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Daemon from "../Daemon.ts"
import * as DaemonFlags from "../DaemonFlags.ts"
import * as DaemonStop from "../DaemonStop.ts"

/** `portctl stop` */
export const stop = Command.make(
  "stop",
  { port: DaemonFlags.port },
  Effect.fnUntraced(function* ({ port }) {
    const address = yield* Daemon.localAddress(port)
    const stopped = yield* DaemonStop.stop(address)
    yield* Console.log(
      Option.match(stopped, {
        onNone: () => Daemon.notRunning(address),
        onSome: ({ pid }) => `stopped port-server (pid ${pid})`
      })
    )
  })
).pipe(
  describe(
    "Stop the port-server that runs",
    "portctl stop",
    ["Requests in flight are answered first. Only a port-server process of this machine is ever stopped."],
    { exits: { 0: "None runs there any more, or none did", 1: "It could not be stopped" } }
  )
)
