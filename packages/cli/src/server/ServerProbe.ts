import { notPortServerMessage, type ServerUnreachable } from "@port-server/domain/api/ClientErrors"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { serverHost } from "@port-server/domain/Defaults"
import { stillStarting, stopping } from "@port-server/domain/Errors"
import type { Port } from "@port-server/domain/Port"
import { ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as LoopbackHttpClient from "../client/LoopbackHttpClient.ts"
import { NotLocal, ServerUnusable } from "../errors/ServerErrors.ts"
import * as SettingsFile from "../settings/SettingsFile.ts"
import { isChosen, usualAddress } from "../settings/UsualAddress.ts"

/** What responds at an address. */
export type ServerStatus =
  | { readonly _tag: "Running"; readonly info: ServerInfo }
  | { readonly _tag: "NotRunning" }
  /** A port-server that is starting or stopping, or whose database cannot be used. */
  | { readonly _tag: "Unhealthy"; readonly message: string }
  /** Another program, or a port-server that this portctl does not understand. */
  | { readonly _tag: "NotPortServer"; readonly message: string }
  /** No such host, or no route to it. */
  | { readonly _tag: "Unreachable"; readonly message: string }

/** Whether a host is this machine, where a port-server listens. */
export const isLoopback = (host: string): boolean => /^(127\.0\.0\.1|localhost)$/i.test(host)

/** Where a server of this machine listens that has the port. */
export const onThisMachine = (port: Port): ServerAddress => new ServerAddress({ host: serverHost, port })

/** The same for an address of this machine; one that was not chosen stays so. */
export const ofThisMachine = (address: ServerAddress): ServerAddress =>
  isChosen(address) ? onThisMachine(address.port) : address

/** Where a server of this machine is to be started or stopped: at the port given, else at that of the usual address. */
export const localAddress = Effect.fnUntraced(function* (port: Option.Option<Port>) {
  const usual = yield* usualAddress
  if (!isLoopback(usual.host)) {
    const source = process.env["PORT_SERVER_ADDR"] ? "PORT_SERVER_ADDR" : `address in ${SettingsFile.path()}`
    return yield* new NotLocal({
      message: `${source} is ${usual}, another machine than this: only a server at 127.0.0.1 or localhost can be started and stopped`
    })
  }
  return Option.match(port, { onNone: () => ofThisMachine(usual), onSome: onThisMachine })
})

/** How long what listens at an address may take to respond to one request. */
const patience = "3 seconds"

// Counted, not timed: the wall clock can be set while this waits.
const transientRetry = Schedule.intersect(Schedule.spaced("50 millis"), Schedule.recurs(20))

const notPortServer = (address: ServerAddress): ServerStatus => ({
  _tag: "NotPortServer",
  message: `another program listens at ${address}, and does not answer as port-server`
})

/** Why there was no connection at all, in the system's codes. */
const noName = /^(ENOTFOUND|EAI_.*)$/
const noWay = /^(ETIMEDOUT|E(HOST|NET)(UNREACH|DOWN)|EADDRNOTAVAIL|EACCES|EPERM)$/

const statusOf = (address: ServerAddress, { code = "", isRefused }: ServerUnreachable): ServerStatus => {
  if (isRefused) return { _tag: "NotRunning" }
  if (noName.test(code)) {
    return {
      _tag: "Unreachable",
      message: `the host name ${address.host} does not resolve (PORT_SERVER_ADDR says where port-server is)`
    }
  }
  return noWay.test(code)
    ? { _tag: "Unreachable", message: `there is no connection to ${address} (${code})` }
    : notPortServer(address)
}

/** What responds at the address now. */
export const probe = (address: ServerAddress): Effect.Effect<ServerStatus> =>
  Effect.gen(function* () {
    const client = yield* PortServerClient
    const foreign = (message: string): ServerStatus => ({ _tag: "NotPortServer", message })
    const old = `the port-server at ${address} is older than this portctl and cannot say which process it is: stop it by hand, then run portctl start`
    return yield* client.server().pipe(
      // A connection that was closed, or a database that is locked, may be another the next moment.
      Effect.retry({
        while: (error) =>
          (error._tag === "StorageUnavailable" && error.message !== stillStarting && error.message !== stopping) ||
          (error._tag === "ServerUnreachable" &&
            error.code !== undefined &&
            statusOf(address, error)._tag === "NotPortServer"),
        schedule: transientRetry
      }),
      Effect.map((info): ServerStatus => ({ _tag: "Running", info })),
      Effect.catchTags({
        ServerUnreachable: (error) => Effect.succeed(statusOf(address, error)),
        UnexpectedResponse: ({ message, status }) => {
          const general = notPortServerMessage(address, status)
          const found = foreign(message === general ? general : `${general}: ${message}`)
          return status !== 404
            ? Effect.succeed(found)
            : Effect.match(client.health(), { onFailure: () => found, onSuccess: () => foreign(old) })
        }
      }),
      Effect.catchAll(({ message }) => Effect.succeed<ServerStatus>({ _tag: "Unhealthy", message }))
    )
  }).pipe(Effect.provide(PortServerClient.at(address, patience).pipe(Layer.provide(LoopbackHttpClient.layer))))

/** The error about a server that can be neither used nor replaced. */
export const toError = (
  status: Exclude<ServerStatus, { readonly _tag: "Running" | "NotRunning" }>,
  address: ServerAddress
): ServerUnusable =>
  new ServerUnusable({
    isUnreachable: status._tag === "Unreachable",
    message:
      status._tag === "Unhealthy"
        ? `the port-server at ${address} cannot answer right now: ${status.message}`
        : status.message
  })

/** The message, which is no error, that nothing listens at an address. */
export const notRunning = (address: ServerAddress): string => `port-server is not running at ${address}`
