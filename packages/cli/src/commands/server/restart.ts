import * as Command from "@effect/cli/Command"
import { describe } from "@port-server/command-line/command/Description"
import { PortRangeFromText } from "@port-server/domain/Port"
import { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Output from "../../output/Output.ts"
import * as DaemonFlags from "../../server/ServerOptions.ts"
import * as Daemon from "../../server/ServerProbe.ts"
import * as DaemonStart from "../../server/ServerStart.ts"
import * as DaemonStop from "../../server/ServerStop.ts"
import * as Flags from "../Options.ts"

/** Stop what runs and start what is wanted, which is the same where nothing else is; where that cannot be, the same again. */
const restarted = Effect.fnUntraced(function* (wanted: DaemonStart.Wanted) {
  const stopped = yield* DaemonStop.stop(wanted.address)
  if (Option.isNone(stopped)) return yield* DaemonStart.start(wanted)
  const { database, probe, range } = stopped.value
  const before: DaemonStart.Wanted = {
    address: wanted.address,
    database: Option.some(database),
    range: Schema.decodeOption(PortRangeFromText)(range),
    noProbe: probe === false
  }
  return yield* DaemonStart.start({
    address: wanted.address,
    database: Option.orElse(wanted.database, () => before.database),
    range: Option.orElse(wanted.range, () => before.range),
    noProbe: wanted.noProbe || before.noProbe
  }).pipe(
    Effect.catchAll((error) =>
      Effect.flatMap(Effect.isSuccess(DaemonStart.start(before)), (again) =>
        again ? Output.failed(`${error.message}; it runs again as it did before`) : error
      )
    )
  )
})

/** `portctl restart` */
export const restart = Command.make(
  "restart",
  { ...DaemonFlags.settings, json: Flags.json },
  Effect.fnUntraced(function* ({ db: database, json, noProbe, port, range }) {
    const address = yield* Daemon.localAddress(port)
    yield* Output.answer(ServerInfo, { json })(restarted({ address, database, noProbe, range }), (started) =>
      DaemonStart.sentence("restarted", address, started)
    )
  })
).pipe(
  describe(
    "Stop port-server and start it again",
    ["portctl restart", "portctl restart --range 20000-29999"],
    ["Where no flag says otherwise it keeps its database, its range and --no-probe. Where none runs, one is started."]
  )
)
