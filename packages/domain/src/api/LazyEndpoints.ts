import * as HttpApiClient from "@effect/platform/HttpApiClient"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import { only } from "./BaseApi.ts"

/** An endpoint, loaded and derived when it is first called: a short program calls one of them. */
const lazy = <Module, Send>(
  load: () => Promise<Module>,
  derive: (module: Module) => Effect.Effect<Send>
): Effect.Effect<Send> => {
  let derived: Send | undefined
  const derivation = Effect.tap(Effect.flatMap(Effect.promise(load), derive), (send) => {
    derived = send
  })
  return Effect.suspend(() => (derived === undefined ? derivation : Effect.succeed(derived)))
}

/** The endpoints that the client calls, at a base URL. */
export const lazyEndpoints = (baseUrl: string, httpClient: HttpClient.HttpClient) => {
  const options = { group: "registry", httpClient, baseUrl } as const
  return {
    health: lazy(
      () => import("./endpoints/Health.ts"),
      ({ health }) => HttpApiClient.endpoint(only(health), { ...options, endpoint: "health" })
    ),
    allocate: lazy(
      () => import("./endpoints/Allocate.ts"),
      ({ allocate }) => HttpApiClient.endpoint(only(allocate), { ...options, endpoint: "allocate" })
    ),
    list: lazy(
      () => import("./endpoints/List.ts"),
      ({ list }) => HttpApiClient.endpoint(only(list), { ...options, endpoint: "list" })
    ),
    check: lazy(
      () => import("./endpoints/Check.ts"),
      ({ check }) => HttpApiClient.endpoint(only(check), { ...options, endpoint: "check" })
    ),
    release: lazy(
      () => import("./endpoints/Release.ts"),
      ({ release }) => HttpApiClient.endpoint(only(release), { ...options, endpoint: "release" })
    ),
    releaseMatching: lazy(
      () => import("./endpoints/Release.ts"),
      ({ releaseMatching }) =>
        HttpApiClient.endpoint(only(releaseMatching), { ...options, endpoint: "releaseMatching" })
    ),
    ensure: lazy(
      () => import("./endpoints/Ensure.ts"),
      ({ ensure }) => HttpApiClient.endpoint(only(ensure), { ...options, endpoint: "ensure" })
    ),
    listeners: lazy(
      () => import("./endpoints/Listeners.ts"),
      ({ listeners }) => HttpApiClient.endpoint(only(listeners), { ...options, endpoint: "listeners" })
    ),
    containers: lazy(
      () => import("./endpoints/Containers.ts"),
      ({ containers }) => HttpApiClient.endpoint(only(containers), { ...options, endpoint: "containers" })
    ),
    prune: lazy(
      () => import("./endpoints/Prune.ts"),
      ({ prune }) => HttpApiClient.endpoint(only(prune), { ...options, endpoint: "prune" })
    ),
    events: lazy(
      () => import("./endpoints/Events.ts"),
      ({ events }) => HttpApiClient.endpoint(only(events), { ...options, endpoint: "events" })
    ),
    server: lazy(
      () => import("./endpoints/Server.ts"),
      ({ server }) => HttpApiClient.endpoint(only(server), { ...options, endpoint: "server" })
    ),
    import: lazy(
      () => import("./endpoints/Import.ts"),
      ({ importAll }) => HttpApiClient.endpoint(only(importAll), { ...options, endpoint: "import" })
    )
  }
}
