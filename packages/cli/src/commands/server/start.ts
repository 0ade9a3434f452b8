import * as Command from "@port-server/command-line/command/Command"
import { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import * as Output from "../../output/Output.ts"
import { noteAddress } from "../../server/AddressNote.ts"
import * as ServerOptions from "../../server/ServerOptions.ts"
import * as ServerProbe from "../../server/ServerProbe.ts"
import * as ServerStart from "../../server/ServerStart.ts"
import * as ServiceCommand from "../../server/service/ServiceCommand.ts"
import * as Options from "../Options.ts"

/** `portctl start` */
export const start = Command.make(
  "start",
  {
    summary: "Start port-server in the background",
    details: [
      "It returns once the server responds. The settings are kept in ~/.port_server/config.json and used by every later start at that address, unless a flag or the environment says otherwise. A server that already runs there is left as it is; if its settings differ from the flags, that is an error. The log is ~/.port_server/port-server.log, or port-server-PORT.log for a port that is not the default."
    ],
    examples: ["portctl start", "portctl start --db ~/team/ports.db --range 20000-29999"],
    exitCodes: { 0: "It runs", 1: "It could not be started, or another program has the port" },
    parameters: { ...ServerOptions.settings, json: Options.json }
  },
  Effect.fnUntraced(function* ({ json, port, ...settings }) {
    const flags = yield* ServerOptions.toServerFlags(settings)
    const address = yield* ServerProbe.localAddress(port)
    const { range } = yield* Output.print(ServerInfo, { json })(ServerStart.start(address, flags), (started) =>
      ServerStart.describeStarted("started", started)
    )
    yield* ServerStart.noteRange(range)
    yield* ServiceCommand.noteOutdated(address)
    yield* noteAddress(address)
  })
)
