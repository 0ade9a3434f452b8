import * as HttpClient from "@effect/platform/HttpClient"
import { RequestError } from "@effect/platform/HttpClientError"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { type Address, isSocketAddress, type ServerAddress } from "@port-server/domain/ServerAddress"
import * as Effect from "effect/Effect"
import { ServerUnusable } from "../errors/ServerErrors.ts"
import { listenerUid } from "../platform/ListenerOwner.ts"
import * as User from "../platform/User.ts"
import { isChosen } from "../settings/UsualAddress.ts"

/** The error about a server of another user at an address that nobody chose, with the two ways out. */
export const foreign = (address: ServerAddress, user: string): ServerUnusable =>
  new ServerUnusable({
    message: `the port-server at ${address} is the one of user ${user}: to share it, portctl config set address ${address}; to have your own, portctl config set address ${address.host}:${address.port + 1}`
  })

/** The user of the server at an address, where that is another than this one. */
const foreignUser = Effect.fnUntraced(function* (address: ServerAddress, client: HttpClient.HttpClient) {
  const uid = listenerUid(address.port)
  if (uid === undefined ? process.platform === "linux" : User.isOwnUid(uid)) return undefined
  return yield* PortServerClient.over(address, client)
    .server()
    .pipe(
      Effect.map(({ user = String(uid) }) => (User.isOwnName(user) ? undefined : user)),
      // What is no port-server is the error of the request itself.
      Effect.orElseSucceed(() => undefined)
    )
})

/** A client that refuses a server of another user, unless the address was chosen. */
export const make = (address: Address, client: HttpClient.HttpClient): HttpClient.HttpClient =>
  isChosen(address) || isSocketAddress(address)
    ? client
    : HttpClient.transform(client, (send, request) =>
        Effect.flatMap(foreignUser(address, client), (user) =>
          user === undefined ? send : new RequestError({ request, reason: "Transport", cause: foreign(address, user) })
        )
      )
