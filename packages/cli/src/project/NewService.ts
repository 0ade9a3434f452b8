import { projectFileName } from "@port-server/domain/Defaults"
import type { RequestedService } from "@port-server/domain/Ensure"
import { variableOf } from "@port-server/domain/ServiceVariable"
import { nameProblem } from "@port-server/domain/VariableName"
import { isReservedKey, reservedKeyMessage } from "../platform/JsonFile.ts"

/** The variable of a new service: `PORT` carries the port of `web`. */
const newVariable = (service: string): string => (service === "web" ? "PORT" : variableOf(service))

/** What a project file gets for a new service. */
export const settings = ({ port, service }: RequestedService, block: { readonly size?: number } = {}) => ({
  env: newVariable(service),
  ...(port ? { prefer: port } : {}),
  ...block
})

/** Why a project file cannot get new services of these names, if anything speaks against one. */
export const problemOf = (services: ReadonlyArray<RequestedService>): string | undefined => {
  for (const { service } of services) {
    if (isReservedKey(service)) return reservedKeyMessage(service, projectFileName)
    const problem = nameProblem(newVariable(service))
    if (problem === undefined) continue
    const named = JSON.stringify(service)
    return `the variable of the service ${named} ${problem}; name it otherwise, or write it into ${projectFileName} with an "env"`
  }
  return undefined
}
