import {
  addressFromEnv,
  notUnderstood,
  PortServerClient,
  type ServerUnreachable
} from "@port-server/domain/api/PortServerClient"
import { serverHost } from "@port-server/domain/Defaults"
import { stillStarting } from "@port-server/domain/Errors"
import type { Port } from "@port-server/domain/Port"
import { ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as LoopbackHttpClient from "../client/LoopbackHttpClient.ts"
import { CliError } from "../errors/CliError.ts"

/** What there is at an address. */
export type Standing =
  | { readonly _tag: "Running"; readonly info: ServerInfo }
  | { readonly _tag: "Down" }
  /** A port-server that is starting, or whose database cannot be used. */
  | { readonly _tag: "Unwell"; readonly message: string }
  /** Another program, or a port-server that this one does not understand. */
  | { readonly _tag: "Foreign"; readonly message: string }
  /** Nothing that can be asked: no such host, no way to it. */
  | { readonly _tag: "Away"; readonly message: string }

/** Whether a host is this machine, where a port-server listens. */
export const isLoopback = (host: string): boolean => /^(127\.0\.0\.1|localhost)$/i.test(host)

/** Where a server of this machine is to be started or stopped: at the port given, else at that of `PORT_SERVER_ADDR`. */
export const localAddress = Effect.fnUntraced(function* (port: Option.Option<Port>) {
  const usual = yield* addressFromEnv
  if (!isLoopback(usual.host)) {
    return yield* CliError.make(
      `PORT_SERVER_ADDR is ${usual}, another machine than this: only a server at 127.0.0.1 or localhost can be started and stopped`
    )
  }
  return new ServerAddress({ host: serverHost, port: Option.getOrElse(port, () => usual.port) })
})

/** How long what listens at an address may take to say what it is. */
const patience = "3 seconds"

/** What is about to change: a connection that was closed instead of answered, a server that is stopping. */
const passing = Schedule.spaced("50 millis").pipe(Schedule.upTo("1 second"))

const silent = (address: ServerAddress): Standing => ({
  _tag: "Foreign",
  message: `another program listens at ${address}, and does not answer as port-server`
})

/** Why there was no connection at all, in the system's codes. */
const noName = /^(ENOTFOUND|EAI_.*)$/
const noWay = /^(ETIMEDOUT|E(HOST|NET)(UNREACH|DOWN)|EADDRNOTAVAIL|EACCES|EPERM)$/

/** What there is at an address that gave no answer. */
const withoutAnswer = (address: ServerAddress, { code = "", isRefused }: ServerUnreachable): Standing => {
  if (isRefused) return { _tag: "Down" }
  if (noName.test(code)) {
    return {
      _tag: "Away",
      message: `the host name ${address.host} does not resolve (PORT_SERVER_ADDR says where port-server is)`
    }
  }
  return noWay.test(code)
    ? { _tag: "Away", message: `there is no connection to ${address} (${code})` }
    : silent(address)
}

/** What there is at the address now. */
export const look = (address: ServerAddress): Effect.Effect<Standing> =>
  Effect.gen(function* () {
    const client = yield* PortServerClient
    const foreign = (message: string): Standing => ({ _tag: "Foreign", message })
    const old = `the port-server at ${address} is older than this portctl and cannot say which process it is: stop it by hand, then run portctl start`
    return yield* client.server().pipe(
      Effect.retry({
        while: (error) =>
          (error._tag === "StorageUnavailable" && error.message !== stillStarting) ||
          (error._tag === "ServerUnreachable" && withoutAnswer(address, error)._tag === "Foreign"),
        schedule: passing
      }),
      Effect.map((info): Standing => ({ _tag: "Running", info })),
      Effect.catchTags({
        ServerUnreachable: (error) => Effect.succeed(withoutAnswer(address, error)),
        UnexpectedResponse: ({ message, status }) => {
          const strange = notUnderstood(address, status)
          const said = foreign(message === strange ? strange : `${strange}: ${message}`)
          return status !== 404
            ? Effect.succeed(said)
            : Effect.match(client.health(), { onFailure: () => said, onSuccess: () => foreign(old) })
        }
      }),
      Effect.catchAll(({ message }) => Effect.succeed<Standing>({ _tag: "Unwell", message })),
      Effect.timeoutTo({ duration: patience, onTimeout: () => silent(address), onSuccess: (standing) => standing })
    )
  }).pipe(Effect.provide(PortServerClient.at(address).pipe(Layer.provide(LoopbackHttpClient.layer))))

/** Said where no port-server that can be dealt with is at the address. */
export const refusal = (
  standing: Exclude<Standing, { readonly _tag: "Running" | "Down" }>,
  address: ServerAddress
): CliError =>
  CliError.make(
    standing._tag === "Unwell"
      ? `the port-server at ${address} cannot answer right now: ${standing.message}`
      : standing.message
  )

/** Said, without complaint, where nobody listens. */
export const notRunning = (address: ServerAddress): string => `port-server is not running at ${address}`
