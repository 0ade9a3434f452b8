import * as HttpMethod from "@effect/platform/HttpMethod"
import { MaxBody } from "@port-server/domain/api/MaxBody"
import { PortServerApi } from "@port-server/domain/api/PortServerApi"
import * as Context from "effect/Context"

/** One path and what can be done with it. */
export interface Route {
  readonly pattern: RegExp
  /** Methods of the path, with HEAD where there is GET. */
  readonly methods: ReadonlySet<string>
  /** Those of them whose request carries a JSON body, and how large it may be, in bytes. */
  readonly maxBody: ReadonlyMap<string, number>
}

const apiRoutes = (): ReadonlyArray<Route> => {
  const routes = new Map<string, { pattern: RegExp; methods: Set<string>; maxBody: Map<string, number> }>()
  // `HttpApi.reflect` would also make the schemas of every response, which takes a start 1.5 ms.
  for (const endpoint of Object.values(PortServerApi.groups).flatMap(({ endpoints }) => Object.values(endpoints))) {
    const shape = endpoint.path.replace(/:\w+/g, "[^/]+")
    const route = routes.get(shape) ?? { pattern: new RegExp(`^${shape}$`), methods: new Set(), maxBody: new Map() }
    routes.set(shape, route)
    route.methods.add(endpoint.method)
    if (endpoint.method === "GET") route.methods.add("HEAD")
    if (endpoint.payloadSchema._tag === "Some" && HttpMethod.hasBody(endpoint.method)) {
      route.maxBody.set(endpoint.method, Context.get(endpoint.annotations, MaxBody))
    }
  }
  return [...routes.values()]
}

/** What the server has: the paths of the API, and those that can only be read. */
export class RouteTable {
  readonly #routes: ReadonlyArray<Route>

  constructor(readable: Iterable<string>) {
    const files = Array.from(readable, (path) => ({
      pattern: new RegExp(`^${path.replaceAll(".", "\\.")}$`),
      methods: new Set(["GET", "HEAD"]),
      maxBody: new Map<string, number>()
    }))
    this.#routes = [...apiRoutes(), ...files]
  }

  /** The route of a path in its one canonical spelling. */
  lookup(path: string): Route | undefined {
    return this.#routes.find(({ pattern }) => pattern.test(path))
  }
}
