import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError, RequestError } from "@effect/platform/HttpClientError"
import { isUnconnectedCode } from "@port-server/domain/api/ClientErrors"
import * as NodeHttpClient from "@port-server/domain/api/NodeHttpClient"
import { withHeaders } from "@port-server/domain/api/Transport"
import { isLoopbackHost } from "@port-server/domain/Loopback"
import { type Address, defaultAddress, isSocketAddress } from "@port-server/domain/ServerAddress"
import type { SocketAddress } from "@port-server/domain/SocketAddress"
import { errorCode } from "@port-server/domain/SystemError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { isChosen } from "../settings/UsualAddress.ts"
import * as OtherNetwork from "./OtherNetwork.ts"

/**
 * Keep Node from loading all of fetch (28-54 ms on Node 22 and later) for a name: the derived client tests each payload
 * with `instanceof FormData`, and none here is a form. Defining the property instead of setting it would load fetch too.
 */
export const avoidLoadingFetch = (): void => {
  Reflect.set(globalThis, "FormData", class FormData {})
}

/** The sockets by which servers are reached that their addresses do not reach. */
const detours = new WeakMap<Address, SocketAddress>()

/** Where the server at an address is reached. */
export const wayTo = (address: Address): Address => detours.get(address) ?? address

const isUnconnected = (error: HttpClientError): error is RequestError =>
  error._tag === "RequestError" && isUnconnectedCode(errorCode(error))

/** Asks by the server's own socket where there is no connection to the default address, as in a sandbox. */
const withSocket = (address: Address, tcp: HttpClient.HttpClient): HttpClient.HttpClient => {
  let socket: HttpClient.HttpClient | undefined
  /** What a request failed with over TCP, unless the socket has an answer. */
  const orBySocket = Effect.fnUntraced(function* (error: RequestError) {
    const { ownSocket } = yield* Effect.promise(() => import("../settings/UsualSocket.ts"))
    const found = Option.getOrUndefined(yield* ownSocket(defaultAddress))
    if (found === undefined) return yield* error
    const client = OtherNetwork.noted(found, NodeHttpClient.make(found.path))
    const response = yield* Effect.catchIf(client.execute(error.request), isUnconnected, () => error)
    socket = client
    detours.set(address, found)
    return response
  })
  return HttpClient.transform(tcp, (send, request) => {
    const byTcp = Effect.catchIf(send, isUnconnected, orBySocket)
    return Effect.suspend(() =>
      socket === undefined ? byTcp : Effect.catchIf(socket.execute(request), isUnconnected, () => byTcp)
    )
  })
}

/** The HTTP client that reaches what is at that very address. */
export const directTo = (address: Address): HttpClient.HttpClient =>
  isSocketAddress(address) ? NodeHttpClient.make(address.path) : withHeaders(address, NodeHttpClient.make())

/** The HTTP client that reaches the server at an address. */
export const make = (address: Address): HttpClient.HttpClient => {
  if (isSocketAddress(address) || !isLoopbackHost(address.host)) return OtherNetwork.noted(address, directTo(address))
  return isChosen(address) ? directTo(address) : withSocket(address, directTo(address))
}
