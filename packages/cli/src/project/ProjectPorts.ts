import type { Allocation } from "@port-server/domain/Allocation"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { EnsureRequest, type RequestedService } from "@port-server/domain/Ensure"
import { InvalidRequest } from "@port-server/domain/Errors"
import { escapeControls } from "@port-server/domain/Name"
import { projectFileName, type ServiceSettings } from "@port-server/domain/ProjectFile"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
import { conflictingFolder } from "./FolderOwnership.ts"
import type { Here } from "./ProjectContext.ts"

const decode = Schema.decodeUnknown(EnsureRequest)

/** The instance of an app, as answers name it: `myapp/main`. */
export const instanceLabel = ({ app, instance }: Pick<Here, "app" | "instance">): string =>
  escapeControls(`${app}/${instance}`)

/** What the project file says of each service; nothing where there is no file. */
export const settingsOf = ({ project }: Here): ReadonlyMap<string, ServiceSettings> =>
  new Map(Object.entries(project?.contents.services ?? {}))

/** Said where neither the command line nor a project file names a service. */
export const noServices = CliError.make(
  `no services: name them with --service, or in a ${projectFileName} (portctl init writes one)`
)

/** The services asked for, or those of the project file. */
export const requestedServices = (
  here: Here,
  asked: ReadonlyArray<RequestedService>
): ReadonlyArray<RequestedService> =>
  asked.length > 0 ? asked : [...settingsOf(here).keys()].map((service) => ({ service }))

/** Fails when an instance belongs to another folder, unless it was said: that is how one shares it. */
const own = (here: Here, allocations: ReadonlyArray<Allocation>) => {
  const other = here.isSaid ? undefined : conflictingFolder(here, allocations)
  return other === undefined
    ? Effect.void
    : CliError.make(
        `${instanceLabel(here)} belongs to ${other}; give this folder its own with --instance or PORTCTL_INSTANCE`,
        { hint: `--instance ${here.instance} shares the ports` }
      )
}

/** Say which ports a service has beside one that it was given now because exactly that one was asked for. */
const noteOtherPorts = (held: ReadonlyArray<Allocation>, allocations: ReadonlyArray<Allocation>) => {
  const added = allocations.filter(({ id }) => !held.some((other) => other.id === id))
  const left = held.filter(({ service }) => added.some((other) => other.service === service))
  return Effect.forEach(
    left,
    ({ id, owner, port }) =>
      Console.error(`note: ${owner} has port ${port} (id=${id}) too; portctl release --id ${id} gives it back`),
    { discard: true }
  )
}

/** Say so when the ports were those of a folder that is gone: it may be away for a while only. */
const noteTakeover = (held: ReadonlyArray<Allocation>, allocations: ReadonlyArray<Allocation>) => {
  const [gone] = held.flatMap(({ id, path }) =>
    path !== undefined && allocations.some((other) => other.id === id && other.path !== path) ? [path] : []
  )
  return gone === undefined
    ? Effect.void
    : Console.error(`note: took over the ports of ${escapeControls(gone)}, which is gone`)
}

/** Give the services their ports, in the folder where the verb runs, with what its project file says of them. */
export const ensureServices = Effect.fnUntraced(function* (here: Here, asked: ReadonlyArray<RequestedService>) {
  const { app, folder, instance, isSaid } = here
  const settings = settingsOf(here)
  if (asked.length === 0) return yield* noServices
  const services = asked.map(({ port, service }) => {
    const { prefer } = settings.get(service) ?? {}
    if (port !== undefined) return { service, port }
    return prefer === undefined ? { service } : { service, prefer }
  })
  const request = yield* Effect.mapError(
    decode({ app, instance, services, path: folder }),
    InvalidRequest.fromParseError
  )
  const held = isSaid && !asked.some(({ port }) => port) ? [] : yield* here.held
  yield* own(here, held)
  const client = yield* PortServerClient
  const ensured = yield* client.ensure(request)
  // Another folder may have asked in the meantime.
  yield* own(here, [...held, ...ensured.allocations])
  yield* noteTakeover(held, ensured.allocations)
  yield* noteOtherPorts(held, ensured.allocations)
  return ensured
})
