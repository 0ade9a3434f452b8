import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpMethod from "@effect/platform/HttpMethod"
import { PortServerApi } from "@port-server/domain/PortServerApi"

/** One path of the API and what can be done with it. */
export interface Route {
  readonly pattern: RegExp
  /** Methods that the path answers, with HEAD where there is GET. */
  readonly methods: ReadonlySet<string>
  /** Those of them whose request carries a JSON body. */
  readonly withBody: ReadonlySet<string>
}

interface MutableRoute extends Route {
  readonly methods: Set<string>
  readonly withBody: Set<string>
}

const routes = new Map<string, MutableRoute>()

HttpApi.reflect(PortServerApi, {
  onGroup: () => {},
  onEndpoint: ({ endpoint }) => {
    const pattern = new RegExp(`^${endpoint.path.replace(/:\w+/g, "[^/]+")}$`)
    const route = routes.get(endpoint.path.replace(/:\w+/g, ":")) ?? {
      pattern,
      methods: new Set(),
      withBody: new Set()
    }
    routes.set(endpoint.path.replace(/:\w+/g, ":"), route)
    route.methods.add(endpoint.method)
    if (endpoint.method === "GET") route.methods.add("HEAD")
    if (endpoint.payloadSchema._tag === "Some" && HttpMethod.hasBody(endpoint.method)) {
      route.withBody.add(endpoint.method)
    }
  }
})

const all: ReadonlyArray<Route> = [...routes.values()]

/** The route of a path in its one canonical spelling, if the API has it. */
export const find = (path: string): Route | undefined => all.find(({ pattern }) => pattern.test(path))
