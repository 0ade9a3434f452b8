import * as Command from "@port-server/command-line/command/Command"
import { addressFromEnv } from "@port-server/domain/api/PortServerClient"
import { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Output from "../../output/Output.ts"
import * as ServerOptions from "../../server/ServerOptions.ts"
import * as ServerProbe from "../../server/ServerProbe.ts"
import * as ServerStart from "../../server/ServerStart.ts"
import * as Options from "../Options.ts"

/** `portctl start` */
export const start = Command.make(
  "start",
  {
    summary: "Start port-server in the background",
    details: [
      "Returns once it answers. One that runs there already will do, unless it has another database or range than asked for, or probes where --no-probe is given. Its log is ~/.port_server/port-server.log, at another port than the usual one port-server-PORT.log."
    ],
    examples: ["portctl start", "portctl start --db ~/work/ports.db --range 20000-29999"],
    exitCodes: { 0: "It runs", 1: "It could not be started, or another program has the port" },
    parameters: { ...ServerOptions.settings, json: Options.json }
  },
  Effect.fnUntraced(function* ({ db: database, json, noProbe, port, range }) {
    const address = yield* ServerProbe.localAddress(port)
    yield* Output.print(ServerInfo, { json })(ServerStart.start({ address, database, noProbe, range }), (started) =>
      ServerStart.sentence("started", address, started)
    )
    const usual = yield* addressFromEnv
    if (usual.port !== address.port) {
      yield* Console.error(`portctl asks ${usual}; to ask this one: export PORT_SERVER_ADDR=${address}`)
    }
  })
)
