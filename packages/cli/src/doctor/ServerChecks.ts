import { existsSync } from "node:fs"
import { version } from "@port-server/domain/Defaults"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import * as Effect from "effect/Effect"
import type { EffectiveSetting } from "../server/EffectiveSettings.ts"
import * as ServerOwner from "../server/ServerOwner.ts"
import * as ServerPaths from "../server/ServerPaths.ts"
import { notRunning, probe, type ServerStatus, toError } from "../server/ServerProbe.ts"
import { type Check, error, ok, outputOf, warning } from "./Check.ts"

const server = Effect.fnUntraced(function* (address: ServerAddress, status: ServerStatus) {
  if (status._tag === "NotRunning") return warning("server", notRunning(address), "portctl start")
  if (status._tag !== "Running") {
    return error("server", toError(status, address).message, "portctl status, or choose another address")
  }
  const { info } = status
  const owner = yield* Effect.either(ServerOwner.assertOwn(address, info))
  if (owner._tag === "Left") return error("server", owner.left.message, `portctl config set address ${address}`)
  const of = info.user === undefined ? "" : `, user ${info.user}`
  const text = `port-server ${info.version} runs at ${address} (pid ${info.pid}${of})`
  return info.version === version
    ? ok("server", text)
    : warning("server", `${text}, and portctl is ${version}`, "portctl restart")
})

/** The database of the running server, or else the one that a server would use. */
const database = Effect.fnUntraced(
  function* (status: ServerStatus, settings: ReadonlyArray<EffectiveSetting>) {
    const file = String(
      status._tag === "Running" ? status.info.database : settings.find(({ key }) => key === "database")?.value
    )
    if (!existsSync(file)) {
      return status._tag === "Running"
        ? error("database", `${file} is gone, and the server has it open`, "put it back, or portctl restart")
        : ok("database", `${file} is not there yet; the first start makes it`)
    }
    const { failed, text } = yield* outputOf(yield* ServerPaths.program, ["--check", "--db", file])
    return failed ? error("database", text, "portctl export, or restore a backup") : ok("database", text)
  },
  Effect.catchAll(({ message }) => Effect.succeed(error("database", message, "install port-server again")))
)

/** The server at the usual address, and its database. */
export const serverChecks = (address: ServerAddress, settings: ReadonlyArray<EffectiveSetting>) =>
  Effect.gen(function* () {
    const status = yield* probe(address)
    const checks: ReadonlyArray<Check> = [yield* server(address, status), yield* database(status, settings)]
    return checks
  })
