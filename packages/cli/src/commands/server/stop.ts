import * as Command from "@effect/cli/Command"
import { describe } from "@port-server/command-line/command/Description"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Output from "../../output/Output.ts"
import * as DaemonFlags from "../../server/ServerOptions.ts"
import * as Daemon from "../../server/ServerProbe.ts"
import * as DaemonStop from "../../server/ServerStop.ts"
import * as Flags from "../Options.ts"

/** Whether a server was stopped at the address; its process, where one was. */
const Stopped = Schema.Struct({
  stopped: Schema.Boolean,
  pid: Schema.optionalWith(Schema.Int, { exact: true }),
  address: Schema.String
})

/** `portctl stop` */
export const stop = Command.make(
  "stop",
  { port: DaemonFlags.port, json: Flags.json },
  Effect.fnUntraced(function* ({ json, port }) {
    const server = yield* Daemon.localAddress(port)
    const address = String(server)
    const stopping = Effect.map(
      DaemonStop.stop(server),
      Option.match({
        onNone: (): typeof Stopped.Type => ({ stopped: false, address }),
        onSome: ({ pid }) => ({ stopped: true, pid, address })
      })
    )
    yield* Output.answer(Stopped, { json })(stopping, ({ pid, stopped }) =>
      stopped ? `stopped port-server (pid ${pid})` : Daemon.notRunning(server)
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
