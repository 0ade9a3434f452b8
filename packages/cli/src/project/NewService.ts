import type { RequestedService } from "@port-server/domain/Ensure"
import { variableOf } from "@port-server/domain/ProjectFile"

/** What a project file gets for a new service: `PORT` carries the port of `web`. */
export const settings = ({ port, service }: RequestedService) => {
  const env = service === "web" ? "PORT" : variableOf(service)
  return port ? { env, prefer: port } : { env }
}
