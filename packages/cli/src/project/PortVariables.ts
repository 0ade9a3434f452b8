import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import type { EnsureResult, RequestedService } from "@port-server/domain/Ensure"
import { projectFileName, variablesOf } from "@port-server/domain/ProjectFile"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { CliError } from "../errors/CliError.ts"
import type { Here } from "./ProjectContext.ts"
import { ensureServices, instanceLabel, settingsOf } from "./ProjectPorts.ts"

/** The ports of a project's services, and the variables that carry them. */
export interface Variables {
  readonly ensured: EnsureResult
  /** The services with the variable and the port of each. */
  readonly services: ReadonlyArray<{ readonly service: string; readonly variable: string; readonly port: number }>
}

/** The services that a project has: those of its file, or, without one, those that have ports already. */
export const known = Effect.fnUntraced(function* (here: Here) {
  if (here.project !== undefined) return [...settingsOf(here).keys()]
  const client = yield* PortServerClient
  const held = yield* client.list({ app: here.app, instance: here.instance })
  return [...new Set(held.map(({ service }) => service))]
})

/** {@link known}, of a project that has at least one. */
export const requireServices = (here: Here) =>
  Effect.filterOrFail(
    known(here),
    (services) => services.length > 0,
    () =>
      CliError.make(
        `${instanceLabel(here)} has no ports yet: name services with --service, or in a ${projectFileName} (portctl init writes one)`
      )
  )

/** Ensure services, and tell in which variables their ports are to be found. */
export const ensureVariables = Effect.fnUntraced(function* (here: Here, asked: ReadonlyArray<RequestedService>) {
  const settings = settingsOf(here)
  const variables = variablesOf(asked.map(({ service }) => [service, settings.get(service)] as const))
  if (Either.isLeft(variables)) return yield* CliError.make(variables.left)
  const ensured = yield* ensureServices(here, asked)
  const services = ensured.allocations.map(({ port, service }) => ({
    service,
    variable: variables.right.get(service) ?? "",
    port
  }))
  const result: Variables = { ensured, services }
  return result
})
