import { headOf } from "@port-server/domain/Block"
import { variableOf } from "@port-server/domain/ServiceVariable"
import { isRefused } from "@port-server/domain/VariableName"

/** Whether a name is that of a further port of a block. */
const isFurther = (service: string): boolean => headOf(service) !== service

/** The usual variables of services that nobody has named, such as those of a Compose file. */
export interface UsualVariables {
  /** The variable of each service that has one. */
  readonly variables: ReadonlyMap<string, string>
  /** Why a service has none: the rest of a sentence about it. */
  readonly reasons: ReadonlyMap<string, string>
}

/**
 * Give services their usual variables, except those that another one has, and those that a cloned repository's file must
 * not set. Who has named a service could give it another variable; of the others nobody can be asked to.
 *
 * @param named the variables of the other services
 */
export const usualVariables = (
  services: ReadonlyArray<string>,
  named: ReadonlyMap<string, ReadonlyArray<string>>
): UsualVariables => {
  const owners = new Map([...named].flatMap(([service, all]) => all.map((name) => [name, service] as const)))
  const [variables, reasons] = [new Map<string, string>(), new Map<string, string>()]
  for (const service of [...services.filter((name) => !isFurther(name)), ...services.filter(isFurther)]) {
    const variable = variableOf(service)
    const owner = owners.get(variable)
    if (isRefused(variable)) reasons.set(service, `${variable} would steer other programs`)
    else if (owner === undefined) {
      owners.set(variable, service)
      variables.set(service, variable)
    } else if (!isFurther(service)) reasons.set(service, `${variable} is that of ${JSON.stringify(owner)}`)
  }
  return { variables, reasons }
}
