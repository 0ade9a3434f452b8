import * as Command from "@port-server/command-line/command/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Output from "../../output/Output.ts"
import * as ServerOptions from "../../server/ServerOptions.ts"
import * as ServerProbe from "../../server/ServerProbe.ts"
import * as ServerStop from "../../server/ServerStop.ts"
import * as Options from "../Options.ts"

/** Whether a server was stopped at the address; its process, where one was. */
const Stopped = Schema.Struct({
  stopped: Schema.Boolean,
  pid: Schema.optionalWith(Schema.Int, { exact: true }),
  address: Schema.String
})

/** `portctl stop` */
export const stop = Command.make(
  "stop",
  {
    summary: "Stop port-server",
    details: [
      "Requests in flight are answered first. Nothing but a port-server process of this machine is ever stopped."
    ],
    examples: ["portctl stop"],
    exitCodes: { 0: "It has stopped, or was not running", 1: "It could not be stopped" },
    parameters: { port: ServerOptions.port, json: Options.json }
  },
  Effect.fnUntraced(function* ({ json, port }) {
    const server = yield* ServerProbe.localAddress(port)
    const address = String(server)
    const stopping = Effect.map(
      ServerStop.stop(server),
      Option.match({
        onNone: (): typeof Stopped.Type => ({ stopped: false, address }),
        onSome: ({ pid }) => ({ stopped: true, pid, address })
      })
    )
    yield* Output.print(Stopped, { json })(stopping, ({ pid, stopped }) =>
      stopped ? `stopped port-server (pid ${pid})` : ServerProbe.notRunning(server)
    )
  })
)
