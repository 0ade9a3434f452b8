import * as Command from "@effect/cli/Command"
import { PortRangeFromText } from "@port-server/domain/Port"
import { ServerInfo } from "@port-server/domain/ServerInfo"
import { describe } from "@port-server/program/Description"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Daemon from "../Daemon.ts"
import * as DaemonFlags from "../DaemonFlags.ts"
import * as DaemonStart from "../DaemonStart.ts"
import * as DaemonStop from "../DaemonStop.ts"
import * as Flags from "../Flags.ts"
import * as Output from "../Output.ts"

/** Stop what runs; what is to be started then, which is the same where nothing else is wanted. */
const stopped = (wanted: DaemonStart.Wanted) =>
  Effect.map(
    DaemonStop.stop(wanted.address),
    Option.match({
      onNone: () => wanted,
      onSome: ({ args, database, range }): DaemonStart.Wanted => ({
        address: wanted.address,
        database: Option.orElseSome(wanted.database, () => database),
        range: Option.orElse(wanted.range, () => Schema.decodeOption(PortRangeFromText)(range)),
        noProbe: wanted.noProbe || args.includes("--no-probe")
      })
    })
  )

/** `portctl restart` */
export const restart = Command.make(
  "restart",
  { ...DaemonFlags.settings, json: Flags.json },
  Effect.fnUntraced(function* ({ db: database, json, noProbe, port, range }) {
    const address = yield* Daemon.localAddress(port)
    yield* Output.answer(ServerInfo, { json })(
      Effect.flatMap(stopped({ address, database, noProbe, range }), DaemonStart.start),
      (started) => DaemonStart.sentence("restarted", address, started)
    )
  })
).pipe(
  describe(
    "Stop port-server and start it again",
    ["portctl restart", "portctl restart --range 20000-29999"],
    ["Where no flag says otherwise it keeps its database and its range. Where none runs, one is started."]
  )
)
