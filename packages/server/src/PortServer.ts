import * as Command from "@port-server/command-line/command/Command"
import { accessToken } from "@port-server/domain/AccessToken"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as LogFile from "./runtime/LogFile.ts"
import { serve } from "./Server.ts"
import { options, ServerConfig } from "./ServerConfig.ts"
import { integrityCheck } from "./storage/IntegrityCheck.ts"
import { openingCheck } from "./storage/OpeningCheck.ts"

const check = Effect.flatMap(ServerConfig, ({ database }) => Effect.flatMap(integrityCheck(database), Console.log))

/** Fails with the reason when a server with these flags could not start, except for a port that is taken. */
const dryRun = Effect.gen(function* () {
  const { allowHosts, database, log } = yield* ServerConfig
  if (allowHosts.length > 0) yield* accessToken
  yield* openingCheck(database)
  if (Option.isSome(log)) yield* LogFile.check(log.value, database)
  yield* Console.log(`port-server can start, database ${database}`)
})

/** The command `port-server`. */
export const portServer = Command.make(
  "port-server",
  {
    summary: "Hand out this machine's ports over HTTP, never one port to two owners",
    details: [
      "It listens on 127.0.0.1 and a Unix socket only. Only its user can read its database, its logs and their folder.",
      "SIGINT and SIGTERM stop it once the requests in flight are answered."
    ],
    examples: ["port-server --db ~/ports.db --range 20000-29999"],
    exitCodes: {
      0: "It was stopped, or the check found nothing wrong",
      1: "It could not run; see stderr"
    },
    parameters: options
  },
  (flags) => {
    const work = flags.check ? check : flags.dryRun ? dryRun : serve
    return Effect.provide(work, ServerConfig.layer(flags))
  }
)
