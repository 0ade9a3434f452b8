import * as Command from "@port-server/command-line/command/Command"
import { PortRangeFromText } from "@port-server/domain/Port"
import { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { CliError } from "../../errors/CliError.ts"
import * as Output from "../../output/Output.ts"
import * as ServerOptions from "../../server/ServerOptions.ts"
import * as ServerProbe from "../../server/ServerProbe.ts"
import * as ServerStart from "../../server/ServerStart.ts"
import * as ServerStop from "../../server/ServerStop.ts"
import * as Options from "../Options.ts"

/** Stop what runs and start what is wanted, which is the same where nothing else is; where that cannot be, the same again. */
const restarted = Effect.fnUntraced(function* (wanted: ServerStart.ServerSpec) {
  const stopped = yield* ServerStop.stop(wanted.address)
  if (Option.isNone(stopped)) return yield* ServerStart.start(wanted)
  const { database, probe, range } = stopped.value
  const before: ServerStart.ServerSpec = {
    address: wanted.address,
    database: Option.some(database),
    range: Schema.decodeOption(PortRangeFromText)(range),
    noProbe: probe === false
  }
  return yield* ServerStart.start({
    address: wanted.address,
    database: Option.orElse(wanted.database, () => before.database),
    range: Option.orElse(wanted.range, () => before.range),
    noProbe: wanted.noProbe || before.noProbe
  }).pipe(
    Effect.catchAll((error) =>
      Effect.flatMap(Effect.isSuccess(ServerStart.start(before)), (again) =>
        again ? CliError.make(`${error.message}; it runs again as it did before`) : error
      )
    )
  )
})

/** `portctl restart` */
export const restart = Command.make(
  "restart",
  {
    summary: "Stop port-server and start it again",
    details: [
      "Where no flag says otherwise it keeps its database, its range and --no-probe. Where none runs, one is started."
    ],
    examples: ["portctl restart", "portctl restart --range 20000-29999"],
    parameters: { ...ServerOptions.settings, json: Options.json }
  },
  Effect.fnUntraced(function* ({ db: database, json, noProbe, port, range }) {
    const address = yield* ServerProbe.localAddress(port)
    yield* Output.print(ServerInfo, { json })(restarted({ address, database, noProbe, range }), (started) =>
      ServerStart.sentence("restarted", address, started)
    )
  })
)
