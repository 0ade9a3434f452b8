import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpMethod from "@effect/platform/HttpMethod"
import { MaxBody, PortServerApi } from "@port-server/domain/api/PortServerApi"
import * as Context from "effect/Context"
import { documents } from "./StaticFiles.ts"

/** One path that is answered and what can be done with it. */
export interface Route {
  readonly pattern: RegExp
  /** Methods that the path answers, with HEAD where there is GET. */
  readonly methods: ReadonlySet<string>
  /** Those of them whose request carries a JSON body, and how large it may be, in bytes. */
  readonly maxBody: ReadonlyMap<string, number>
}

interface MutableRoute extends Route {
  readonly methods: Set<string>
  readonly maxBody: Map<string, number>
}

const routes = new Map<string, MutableRoute>()

HttpApi.reflect(PortServerApi, {
  onGroup: () => {},
  onEndpoint: ({ endpoint }) => {
    const shape = endpoint.path.replace(/:\w+/g, "[^/]+")
    const route = routes.get(shape) ?? {
      pattern: new RegExp(`^${shape}$`),
      methods: new Set(),
      maxBody: new Map()
    }
    routes.set(shape, route)
    route.methods.add(endpoint.method)
    if (endpoint.method === "GET") route.methods.add("HEAD")
    if (endpoint.payloadSchema._tag === "Some" && HttpMethod.hasBody(endpoint.method)) {
      route.maxBody.set(endpoint.method, Context.get(endpoint.annotations, MaxBody))
    }
  }
})

for (const path of documents.keys()) {
  const pattern = new RegExp(`^${path.replaceAll(".", "\\.")}$`)
  routes.set(path, { pattern, methods: new Set(["GET", "HEAD"]), maxBody: new Map() })
}

const all: ReadonlyArray<Route> = [...routes.values()]

/** The route of a path in its one canonical spelling, if the API has it. */
export const find = (path: string): Route | undefined => all.find(({ pattern }) => pattern.test(path))
