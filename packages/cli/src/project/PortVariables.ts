import type { EnsureResult, RequestedService } from "@port-server/domain/Ensure"
import { fill, namesIn } from "@port-server/domain/Placeholders"
import { servicesByName, variablesOf } from "@port-server/domain/ServiceSettings"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { CliError } from "../errors/CliError.ts"
import type { Here } from "./ProjectContext.ts"
import { ensureServices, settingsOf } from "./ProjectPorts.ts"

/** A service, or a further port of a block, with its port and the variables that carry it. */
export interface ServiceVariables {
  readonly service: string
  readonly variables: ReadonlyArray<string>
  readonly port: number
  /** Whether it is a service by itself: the first port of a block is, the others are not. */
  readonly isService: boolean
}

/** The ports of a project's services, and the variables that are made of them. */
export interface Variables {
  readonly ensured: EnsureResult
  readonly services: ReadonlyArray<ServiceVariables>
  /** The project file's further variables by name, with placeholders; those that need no other services. */
  readonly templates: ReadonlyMap<string, string>
}

/** Ensure services, and name the variables that carry their ports. */
export const ensureVariables = Effect.fnUntraced(function* (here: Here, asked: ReadonlyArray<RequestedService>) {
  const settings = settingsOf(here)
  const names = servicesByName(here.project?.contents.services ?? {})
  const variables = variablesOf(asked.map(({ service }) => [service, settings.get(service)] as const))
  if (Either.isLeft(variables)) return yield* CliError.make(variables.left)
  const ensured = yield* ensureServices(here, asked)
  const services = ensured.allocations.map(({ port, service }) => ({
    service,
    variables: variables.right.get(service) ?? [],
    port,
    isService: (names.get(service) ?? service) === service
  }))
  const given = services.map(({ service }) => service)
  const templates = Object.entries(here.project?.contents.variables ?? {}).filter(([, template]) =>
    namesIn(template, names.keys()).every((name) => given.includes(name))
  )
  const result: Variables = { ensured, services, templates: new Map(templates) }
  return result
})

/** All variables with their values. */
export const valuesOf = ({ services, templates }: Variables): ReadonlyMap<string, string> => {
  const ports = new Map(services.map(({ port, service }) => [service, String(port)] as const))
  return new Map([
    ...services.flatMap(({ port, variables }) => variables.map((name) => [name, String(port)] as const)),
    ...[...templates].map(([name, template]) => [name, fill(template, ports)] as const)
  ])
}
