import type { RequestedService } from "@port-server/domain/Ensure"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import { ensureVariables, valuesOf } from "../project/PortVariables.ts"
import type { Here } from "../project/ProjectContext.ts"
import { requestedServices } from "../project/ProjectPorts.ts"
import { heldServices, nameVariable, projectOf } from "./ComposeEnvironment.ts"

/** Ensure the services that are named, or else those of the project, and all variables of `portctl env`. */
export const projectEnvironment = Effect.fnUntraced(function* (place: Here, named: ReadonlyArray<RequestedService>) {
  const isWhole = named.length === 0
  const asked = yield* requestedServices(place, named)
  const names = asked.map(({ service }) => service)
  const composed = isWhole ? yield* heldServices(place, names) : []
  const variables = yield* ensureVariables(place, [...asked, ...composed], {
    isMain: isWhole,
    isWhole,
    said: named.map(({ service }) => service)
  })
  const project = yield* projectOf(place, variables.ensured, Record.filter(process.env, Predicate.isNotUndefined))
  const name = project === undefined ? {} : { [nameVariable]: project.name }
  const env: Readonly<Record<string, string>> = { ...Object.fromEntries(valuesOf(variables)), ...name }
  return { ensured: variables.ensured, env }
})
