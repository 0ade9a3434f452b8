import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { isLoopbackHost } from "@port-server/domain/Loopback"
import { networkNamespace } from "@port-server/domain/NetworkNamespace"
import type { Address } from "@port-server/domain/ServerAddress"
import { isSocketAddress } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

/** Whether a server sees the ports of another network than this program's: outside its sandbox, or on another machine. */
export const isElsewhere = (address: Address, { network }: ServerInfo): boolean => {
  const own = networkNamespace()
  if (network !== undefined) return network !== own
  // One that does not say has no namespaces, or is older than they are here: then it is reached as ever.
  return own !== undefined && (isSocketAddress(address) || !isLoopbackHost(address.host))
}

/** {@link isElsewhere} of the server that a command asks; false where that does not answer. */
export const isServerElsewhere: Effect.Effect<boolean, never, PortServerClient> = Effect.flatMap(
  PortServerClient,
  (client) =>
    Effect.match(client.server(), { onFailure: () => false, onSuccess: (info) => isElsewhere(client.address, info) })
)

/** Whether the response to a request depends on what listens. */
const isAboutListeners = ({ method, url }: HttpClientRequest): boolean => {
  const { pathname } = new URL(url)
  return (
    /^\/v1\/(ensure|prune|listeners|ports\/.*)$/.test(pathname) || (method === "POST" && pathname === "/v1/allocations")
  )
}

/** A client that notes once that the server is outside of this network, as soon as that matters. */
export const noted = (address: Address, client: HttpClient.HttpClient): HttpClient.HttpClient => {
  let isDue = true
  const note = isServerElsewhere.pipe(
    Effect.provideService(PortServerClient, PortServerClient.over(address, client)),
    Effect.flatMap((elsewhere) =>
      elsewhere
        ? Console.error(
            "note: port-server runs in another network, outside of this sandbox or container: the listeners that it knows are those of the host, not those in here"
          )
        : Effect.void
    )
  )
  return HttpClient.transform(client, (send, request) => {
    if (!isDue || !isAboutListeners(request)) return send
    isDue = false
    return Effect.zipRight(note, send)
  })
}
