import type { RequestedService } from "@port-server/domain/Ensure"
import { variableOf } from "@port-server/domain/ServiceVariable"

/** What a project file gets for a new service: `PORT` carries the port of `web`. */
export const settings = ({ port, service }: RequestedService, block: { readonly size?: number } = {}) => {
  const env = service === "web" ? "PORT" : variableOf(service)
  return { env, ...(port ? { prefer: port } : {}), ...block }
}
