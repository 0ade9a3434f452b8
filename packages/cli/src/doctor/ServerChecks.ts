import { statSync } from "node:fs"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { version } from "@port-server/domain/Defaults"
import { isLoopbackHost, isServerHost } from "@port-server/domain/Loopback"
import { type Address, isSocketAddress } from "@port-server/domain/ServerAddress"
import { errorCode } from "@port-server/domain/SystemError"
import * as Effect from "effect/Effect"
import { isInSandbox } from "../client/OtherMounts.ts"
import { isElsewhere } from "../client/OtherNetwork.ts"
import * as Transport from "../client/Transport.ts"
import * as User from "../platform/User.ts"
import type { EffectiveSetting } from "../server/EffectiveSettings.ts"
import { preflight } from "../server/ServerLaunch.ts"
import * as ServerOwner from "../server/ServerOwner.ts"
import * as ServerPaths from "../server/ServerPaths.ts"
import { type Located, notRunning, type ServerStatus, toError } from "../server/ServerProbe.ts"
import { noFlags, resolveSpec, toArguments } from "../server/ServerSpec.ts"
import { type Check, error, ok, outputOf, warning } from "./Check.ts"

/** A server that does not run, and how it comes to run at the address. */
const stopped = Effect.fnUntraced(function* (
  address: Address,
  settings: ReadonlyArray<EffectiveSetting>,
  database: Check
) {
  const to = (remedy: string) => warning("server", notRunning(address), remedy)
  if (isSocketAddress(address)) return to("start it where the socket comes from, or choose another address")
  if (!isServerHost(address.host)) {
    return isLoopbackHost(address.host)
      ? to(`choose 127.0.0.1:${address.port}, where a port-server listens`)
      : to("start it on that machine, or choose another address")
  }
  if (yield* Effect.isFailure(ServerOwner.assertMayStart(address))) return to("portctl start, without sudo")
  if (database.status === "error") return to("repair the database first, see below; then portctl start")
  const { effective } = yield* resolveSpec(address, noFlags)
  const log = String(settings.find(({ key }) => key === "log")?.value)
  return yield* Effect.match(preflight(toArguments(address, { ...effective, log })), {
    onFailure: ({ message }) =>
      error("server", `${notRunning(address)} and cannot be started: ${message}`, "correct that, then portctl start"),
    onSuccess: () => to("portctl start")
  })
})

const server = Effect.fnUntraced(function* (
  address: Address,
  status: ServerStatus,
  settings: ReadonlyArray<EffectiveSetting>,
  database: Check
) {
  if (status._tag === "NotRunning") return yield* stopped(address, settings, database)
  if (status._tag !== "Running") {
    const isHung = status._tag === "NotPortServer" && status.isHung === true
    const remedy = isHung ? "portctl stop, then portctl start" : "portctl status, or choose another address"
    return error("server", toError(status, address).message, remedy)
  }
  const { info } = status
  const owner = yield* Effect.either(ServerOwner.assertOwn(address, info))
  if (owner._tag === "Left") return error("server", owner.left.message, `portctl config set address ${address}`)
  const of = info.user === undefined ? "" : `, user ${info.user}`
  const text = `port-server ${info.version} runs at ${address} (pid ${info.pid}${of})`
  if (info.version !== version) return warning("server", `${text}, and portctl is ${version}`, "portctl restart")
  return isInSandbox(address, info)
    ? warning(
        "server",
        `${text} in another mount namespace, as of a sandbox: whose the processes out here are is unknown`,
        "portctl restart, outside of sandboxes"
      )
    : ok("server", text)
})

/** The Unix socket of the running server, by which sandboxes and containers reach it. */
const socket = (at: Address, status: ServerStatus): Check => {
  if (status._tag !== "Running") return ok("socket", "there is one while port-server runs")
  const { info } = status
  if (isElsewhere(at, info)) {
    return ok(
      "socket",
      `reached by ${at}: port-server runs outside of this sandbox or container, and sees the host's ports`
    )
  }
  return info.socket === undefined
    ? warning(
        "socket",
        "port-server has none: sandboxes do not reach it; its log says why, unless the file was removed since",
        "portctl restart makes it again; portctl config set socket PATH before it, where the log names another reason"
      )
    : ok("socket", `port-server listens on ${info.socket}, too`)
}

/** Whether there is a file; undefined where this user may not look. */
const isThere = (file: string): boolean | undefined => {
  try {
    statSync(file)
    return true
  } catch (error) {
    return errorCode(error) === "EACCES" ? undefined : false
  }
}

/** The database of the running server, or else the one that a server would use. */
const database = Effect.fnUntraced(
  function* (at: Address, status: ServerStatus, settings: ReadonlyArray<EffectiveSetting>) {
    if (status._tag === "Running" && isElsewhere(at, status.info)) {
      return ok("database", `${status.info.database} is where port-server runs, outside of this sandbox or container`)
    }
    const file = String(
      status._tag === "Running" ? status.info.database : settings.find(({ key }) => key === "database")?.value
    )
    const there = isThere(file)
    if (there === undefined && status._tag === "Running") {
      return ok("database", `${file} is in a folder that this user cannot look into; port-server has it open`)
    }
    if (there === false && status._tag === "Running") {
      return error("database", `${file} is gone, and the server has it open`, "put it back, or portctl restart")
    }
    const program = yield* ServerPaths.program
    if (there === false) {
      // Under sudo, none is made for root.
      return yield* Effect.match(User.sudoUid === undefined ? preflight(["--db", file]) : Effect.void, {
        onFailure: ({ message }) =>
          error("database", message, "portctl start --db FILE, in a folder that you can write"),
        onSuccess: () => ok("database", `${file} is not there yet; the first start makes it`)
      })
    }
    const { failed, text } = yield* outputOf(program, ["--check", "--db", file])
    const remedy =
      status._tag === "Running"
        ? "portctl export while it runs, or put a backup in its place"
        : "put a backup in its place, or move it away: the next start makes a new one, for portctl import"
    return failed ? error("database", text, remedy) : ok("database", text)
  },
  Effect.catchAll(({ message }) => Effect.succeed(error("database", message, "install port-server again")))
)

/** The check of a database, unless the server that runs cannot read what is sound as a file: one that was cut to nothing is. */
const readable = (at: Address, status: ServerStatus, found: Check) =>
  found.status !== "ok" || status._tag !== "Running" || status.info.allocations !== undefined
    ? Effect.succeed(found)
    : Effect.match(PortServerClient.over(at, Transport.directTo(at)).list({ port: 1 }), {
        onFailure: ({ message }) =>
          error(
            "database",
            `port-server cannot use ${status.info.database}: ${message}`,
            "end what else uses it, or put a backup in its place; then portctl restart"
          ),
        onSuccess: () => found
      })

/** The server that was looked for, and its database. */
export const serverChecks = ({ at, status }: Located, settings: ReadonlyArray<EffectiveSetting>) =>
  Effect.gen(function* () {
    const found = yield* readable(at, status, yield* database(at, status, settings))
    const checks: ReadonlyArray<Check> = [yield* server(at, status, settings, found), socket(at, status), found]
    return checks
  })
