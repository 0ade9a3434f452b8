import * as Command from "@effect/cli/Command"
import { describe } from "@port-server/program/Description"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Daemon from "../Daemon.ts"
import * as DaemonFlags from "../DaemonFlags.ts"
import * as ServerProcess from "../ServerProcess.ts"

/** `portctl stop` */
export const stop = Command.make(
  "stop",
  { port: DaemonFlags.port },
  Effect.fnUntraced(function* ({ port }) {
    const address = yield* Daemon.localAddress(port)
    const standing = yield* Daemon.look(address)
    switch (standing._tag) {
      case "Down":
        yield* Console.log(Daemon.notRunning(address))
        return
      case "Running": {
        const { pid } = standing.info
        yield* ServerProcess.identified(pid, address)
        yield* ServerProcess.terminate(pid)
        yield* Console.log(`stopped port-server (pid ${pid})`)
        return
      }
      default:
        return yield* Daemon.refusal(standing, address)
    }
  })
).pipe(
  describe(
    "Stop the port-server that runs",
    "portctl stop",
    ["Requests in flight are answered first. Only a port-server process of this machine is ever stopped."],
    { exits: { 0: "None runs there any more, or none did", 1: "It could not be stopped" } }
  )
)
