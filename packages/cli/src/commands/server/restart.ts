import * as Command from "@port-server/command-line/command/Command"
import { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import * as Output from "../../output/Output.ts"
import { noteAddress } from "../../server/AddressNote.ts"
import * as ServerOptions from "../../server/ServerOptions.ts"
import * as ServerProbe from "../../server/ServerProbe.ts"
import * as ServerRestart from "../../server/ServerRestart.ts"
import * as ServerStart from "../../server/ServerStart.ts"
import * as ServiceCommand from "../../server/service/ServiceCommand.ts"
import * as Options from "../Options.ts"

/** `portctl restart` */
export const restart = Command.make(
  "restart",
  {
    summary: "Stop port-server and start it again",
    details: [
      "Its settings come from the flags, else the environment, else ~/.port_server/config.json, else the running server. It is stopped only if a new one can start. If none is running, one is started."
    ],
    examples: ["portctl restart", "portctl restart --range 20000-29999"],
    parameters: { ...ServerOptions.settings, json: Options.json }
  },
  Effect.fnUntraced(function* ({ json, port, ...settings }) {
    const flags = yield* ServerOptions.toServerFlags(settings)
    const address = yield* ServerProbe.localAddress(port)
    const { range, wasRunning } = yield* Output.print(ServerInfo, { json })(
      ServerRestart.restart(address, flags),
      (started) => ServerStart.describeStarted(started.wasRunning ? "restarted" : "started", started)
    )
    yield* ServerStart.noteRange(range)
    yield* ServiceCommand.noteOutdated(address)
    if (!wasRunning) yield* noteAddress(address)
  })
)
