import { serverHost } from "@port-server/domain/Defaults"
import type { Port } from "@port-server/domain/Port"
import { addressFromEnv, PortServerClient } from "@port-server/domain/PortServerClient"
import { ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as LoopbackHttpClient from "./LoopbackHttpClient.ts"
import { type Failure, failed } from "./Output.ts"

/** What there is at an address. */
export type Standing =
  | { readonly _tag: "Running"; readonly info: ServerInfo }
  | { readonly _tag: "Down" }
  /** A port-server that is starting, or whose database cannot be used. */
  | { readonly _tag: "Unwell"; readonly message: string }
  /** Another program, or a port-server that this one does not understand. */
  | { readonly _tag: "Foreign"; readonly message: string }

/** Whether a host is this machine, where a port-server listens. */
export const isLoopback = (host: string): boolean => /^(127\.0\.0\.1|localhost)$/i.test(host)

/** Where a server of this machine is to be started or stopped: at the port given, else at that of `PORT_SERVER_ADDR`. */
export const localAddress = Effect.fnUntraced(function* (port: Option.Option<Port>) {
  const usual = yield* addressFromEnv
  if (!isLoopback(usual.host)) {
    return yield* failed(
      `PORT_SERVER_ADDR is ${usual}, another machine than this: only a server at 127.0.0.1 or localhost can be started and stopped`
    )
  }
  return new ServerAddress({ host: serverHost, port: Option.getOrElse(port, () => usual.port) })
})

/** How long what listens at an address may take to say what it is. */
const patience = "3 seconds"

/** What is about to change: a connection that was closed instead of answered, a server that is starting or stopping. */
const passing = Schedule.spaced("50 millis").pipe(Schedule.upTo("1 second"))

/** What there is at the address now. */
export const look = (address: ServerAddress): Effect.Effect<Standing> =>
  Effect.gen(function* () {
    const client = yield* PortServerClient
    const foreign = (message: string): Standing => ({ _tag: "Foreign", message })
    const silent = foreign(`another program listens at ${address}, and does not answer as port-server`)
    const old = `the port-server at ${address} is older than this portctl and cannot say which process it is: stop it by hand, then run portctl start`
    return yield* client.server().pipe(
      Effect.retry({
        while: (error) =>
          error._tag === "StorageUnavailable" || (error._tag === "ServerUnreachable" && error.refused !== true),
        schedule: passing
      }),
      Effect.map((info): Standing => ({ _tag: "Running", info })),
      Effect.catchTags({
        ServerUnreachable: ({ refused }) => Effect.succeed<Standing>(refused ? { _tag: "Down" } : silent),
        UnexpectedAnswer: ({ message, status }) =>
          status !== 404
            ? Effect.succeed(foreign(`${message}: it is another program's address`))
            : Effect.match(client.health(), {
                onFailure: () => foreign(message),
                onSuccess: () => foreign(old)
              })
      }),
      Effect.catchAll(({ message }) => Effect.succeed<Standing>({ _tag: "Unwell", message })),
      Effect.timeoutTo({ duration: patience, onTimeout: () => silent, onSuccess: (standing) => standing })
    )
  }).pipe(Effect.provide(PortServerClient.at(address).pipe(Layer.provide(LoopbackHttpClient.layer))))

/** Said where no port-server that can be dealt with is at the address. */
export const refusal = (
  standing: Extract<Standing, { readonly _tag: "Unwell" | "Foreign" }>,
  address: ServerAddress
): Failure =>
  failed(
    standing._tag === "Foreign"
      ? standing.message
      : `the port-server at ${address} cannot answer right now: ${standing.message}`
  )

/** Said, without complaint, where nobody listens. */
export const notRunning = (address: ServerAddress): string => `port-server is not running at ${address}`
