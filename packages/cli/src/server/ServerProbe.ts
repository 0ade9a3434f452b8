import { isUnconnectedCode, notPortServerMessage, type ServerUnreachable } from "@port-server/domain/api/ClientErrors"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { stillStarting, stopping } from "@port-server/domain/CommonErrors"
import { serverHost } from "@port-server/domain/Defaults"
import { isServerHost } from "@port-server/domain/Loopback"
import type { Port } from "@port-server/domain/Port"
import { type Address, isSocketAddress, ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { isElsewhere } from "../client/OtherNetwork.ts"
import * as Transport from "../client/Transport.ts"
import { NotLocal, ServerUnusable } from "../errors/ServerErrors.ts"
import * as SettingsFile from "../settings/SettingsFile.ts"
import { isChosen, usualAddress } from "../settings/UsualAddress.ts"
import { ownSocket } from "../settings/UsualSocket.ts"
import * as ServerProcess from "./ServerProcess.ts"

/** What responds at an address. */
export type ServerStatus =
  | { readonly _tag: "Running"; readonly info: ServerInfo }
  | { readonly _tag: "NotRunning" }
  /** A port-server that is starting or stopping, or whose database cannot be used. */
  | { readonly _tag: "Unhealthy"; readonly message: string }
  /** Another program, or a port-server that this portctl does not understand, or one that hangs. */
  | { readonly _tag: "NotPortServer"; readonly message: string; readonly isHung?: boolean }
  /** No such host, or no route to it. */
  | { readonly _tag: "Unreachable"; readonly message: string }

/** Where a server of this machine listens that has the port. */
export const onThisMachine = (port: Port): ServerAddress => new ServerAddress({ host: serverHost, port })

/** The same for an address of this machine; one that was not chosen stays so. */
export const ofThisMachine = (address: ServerAddress): ServerAddress =>
  isChosen(address) ? onThisMachine(address.port) : address

/** Where a server of this machine is to be started or stopped: at the port given, else at that of the usual address. */
export const localAddress = Effect.fnUntraced(function* (port: Option.Option<Port>) {
  const usual = yield* usualAddress
  if (isSocketAddress(usual) || !isServerHost(usual.host)) {
    const source = process.env["PORT_SERVER_ADDR"] ? "PORT_SERVER_ADDR" : `address in ${SettingsFile.path()}`
    return yield* new NotLocal({
      message: `${source} is ${usual}, ${isSocketAddress(usual) ? "a socket" : "another machine than this"}: only a server at 127.0.0.1 or localhost can be started and stopped`
    })
  }
  return Option.match(port, { onNone: () => ofThisMachine(usual), onSome: onThisMachine })
})

/** How long what listens at an address may take to respond to one request. */
const patience = "3 seconds"

// Counted, not timed: the wall clock can be set while this waits.
const transientRetry = Schedule.intersect(Schedule.spaced("50 millis"), Schedule.recurs(20))

const notPortServer = (address: Address): ServerStatus => {
  const pid = !isSocketAddress(address) && isServerHost(address.host) ? ServerProcess.listeningAt(address) : undefined
  const isHung = pid !== undefined
  const message = isHung
    ? `port-server (pid ${pid}) at ${address} does not respond; portctl stop ends it`
    : `another program listens at ${address}, and does not answer as port-server`
  return { _tag: "NotPortServer", message, isHung }
}

/** Why there was no connection at all, in the system's codes. */
const noName = /^(ENOTFOUND|EAI_.*)$/
const noWay = /^(ETIMEDOUT|E(HOST|NET)(UNREACH|DOWN)|EADDRNOTAVAIL|EACCES|EPERM)$/

/** Whether there was a connection, and no answer that can be used. */
const wasConnected = ({ code = "" }: ServerUnreachable): boolean => !isUnconnectedCode(code)

const statusOf = (address: Address, { code = "", isRefused }: ServerUnreachable): ServerStatus => {
  if (isRefused) return { _tag: "NotRunning" }
  if (!isSocketAddress(address) && noName.test(code)) {
    return {
      _tag: "Unreachable",
      message: `the host name ${address.host} does not resolve (PORT_SERVER_ADDR says where port-server is)`
    }
  }
  if (!noWay.test(code)) return notPortServer(address)
  const isHere = !isSocketAddress(address) && isServerHost(address.host)
  const way = "; in a sandbox, PORT_SERVER_ADDR=unix:/PATH reaches port-server by its socket"
  return { _tag: "Unreachable", message: `there is no connection to ${address} (${code})${isHere ? way : ""}` }
}

/** What responds at the address now. */
export const probe = (address: Address): Effect.Effect<ServerStatus> =>
  Effect.gen(function* () {
    const client = PortServerClient.over(address, Transport.directTo(address), patience)
    const foreign = (message: string): ServerStatus => ({ _tag: "NotPortServer", message })
    const old = `the port-server at ${address} is older than this portctl and cannot say which process it is: stop it by hand, then run portctl start`
    return yield* client.server().pipe(
      // A connection that was closed, or a database that is locked, may be another the next moment.
      Effect.retry({
        while: (error) =>
          (error._tag === "StorageUnavailable" && error.message !== stillStarting && error.message !== stopping) ||
          (error._tag === "ServerUnreachable" && error.code !== undefined && wasConnected(error)),
        schedule: transientRetry
      }),
      Effect.map((info): ServerStatus => ({ _tag: "Running", info })),
      Effect.catchTags({
        ServerUnreachable: (error) => Effect.succeed(statusOf(address, error)),
        UnexpectedResponse: ({ message, status }) => {
          // There was none of HTTP.
          if (status === 0) return Effect.succeed(notPortServer(address))
          const general = notPortServerMessage(address, status)
          const found = foreign(message === general ? general : `${general}: ${message}`)
          return status !== 404
            ? Effect.succeed(found)
            : Effect.match(client.health(), { onFailure: () => found, onSuccess: () => foreign(old) })
        }
      }),
      Effect.catchAll(({ message }) => Effect.succeed<ServerStatus>({ _tag: "Unhealthy", message }))
    )
  })

/** A server that responds by the own socket of one that there is no connection to, as in a sandbox. */
const bySocket = (address: Address, status: ServerStatus) =>
  Effect.gen(function* () {
    const isAway = status._tag === "NotRunning" || status._tag === "Unreachable"
    if (!isAway || isChosen(address) || isSocketAddress(address)) return undefined
    const at = Option.getOrUndefined(yield* ownSocket(address))
    const found = at === undefined ? undefined : yield* probe(at)
    return at === undefined || found === undefined || found._tag === "NotRunning" || found._tag === "Unreachable"
      ? undefined
      : { at, status: found }
  })

/** What responds, and at which address. */
export interface Located {
  readonly at: Address
  readonly status: ServerStatus
}

/** What responds at the address; if that is the default and accepts no connection, what responds by the server's own socket. */
export const locate = (address: Address): Effect.Effect<Located> =>
  Effect.flatMap(probe(address), (status) =>
    Effect.map(bySocket(address, status), (found) => found ?? { at: address, status })
  )

/** The server by its socket that runs outside of this network, where the status is what responds at its address. */
export const findElsewhere = (address: ServerAddress, status: ServerStatus) =>
  Effect.map(bySocket(address, status), (found) =>
    found?.status._tag === "Running" && isElsewhere(found.at, found.status.info)
      ? Option.some({ at: found.at, info: found.status.info })
      : Option.none()
  )

/** The error about a server that can be neither used nor replaced. */
export const toError = (
  status: Exclude<ServerStatus, { readonly _tag: "Running" | "NotRunning" }>,
  address: Address
): ServerUnusable =>
  new ServerUnusable({
    isUnreachable: status._tag === "Unreachable",
    message:
      status._tag === "Unhealthy"
        ? `the port-server at ${address} cannot answer right now: ${status.message}`
        : status.message
  })

/** The message, which is no error, that nothing listens at an address. */
export const notRunning = (address: Address): string => `port-server is not running at ${address}`
