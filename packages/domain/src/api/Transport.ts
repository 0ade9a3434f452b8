import * as HttpClient from "@effect/platform/HttpClient"
import { type HttpClientError, RequestError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { TokenUnusable } from "../AccessToken.ts"
import { isLoopbackHost } from "../Loopback.ts"
import { type Address, isSocketAddress } from "../ServerAddress.ts"

/** The headers that requests to an address need: the token, where that is not this machine. */
export const headersFor = (address: Address): Effect.Effect<Readonly<Record<string, string>>, TokenUnusable> =>
  isSocketAddress(address) || isLoopbackHost(address.host)
    ? Effect.succeed({})
    : Effect.flatMap(
        Effect.promise(() => import("../AccessToken.ts")),
        ({ accessToken, tokenHeader }) =>
          Effect.map(accessToken, Option.match({ onNone: () => ({}), onSome: (token) => ({ [tokenHeader]: token }) }))
      )

/** A client whose requests to an address have the {@link headersFor} it. */
export const withHeaders = (address: Address, client: HttpClient.HttpClient): HttpClient.HttpClient =>
  isSocketAddress(address) || isLoopbackHost(address.host)
    ? client
    : HttpClient.mapRequestEffect(
        client,
        (request): Effect.Effect<HttpClientRequest.HttpClientRequest, HttpClientError> =>
          headersFor(address).pipe(
            Effect.map((headers) => HttpClientRequest.setHeaders(request, headers)),
            Effect.mapError((cause) => new RequestError({ request, reason: "Transport", cause }))
          )
      )

/** A client that reaches an address: the given one, or for a Unix socket, which that does not know, one of our own. */
export const clientFor = (address: Address): Effect.Effect<HttpClient.HttpClient, never, HttpClient.HttpClient> =>
  isSocketAddress(address)
    ? Effect.map(
        Effect.promise(() => import("./NodeHttpClient.ts")),
        ({ make }) => make(address.path)
      )
    : Effect.map(HttpClient.HttpClient, (client) => withHeaders(address, client))
