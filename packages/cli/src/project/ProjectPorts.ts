import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { EnsureRequest, type EnsureResult, type RequestedService } from "@port-server/domain/Ensure"
import { InvalidRequest } from "@port-server/domain/Errors"
import { escapeControls } from "@port-server/domain/Name"
import { projectFileName, type ServiceSettings } from "@port-server/domain/ProjectFile"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
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

/** Note the other ports of services that were given a new one now because exactly that one was asked for. */
const noteOtherPorts = ({ also_held = [] }: EnsureResult) =>
  Effect.forEach(
    also_held,
    ({ id, owner, port }) =>
      Console.error(`note: ${owner} has port ${port} (id=${id}) too; portctl release --id ${id} gives it back`),
    { discard: true }
  )

/** Note whose the ports were until now: that folder may be away for a while only. */
const noteTakeover = ({ took_over }: EnsureResult) =>
  took_over === undefined
    ? Effect.void
    : Console.error(`note: took over the ports of ${escapeControls(took_over)}, which is gone`)

/** Give the services their ports, in the folder where the command runs, with the settings of its project file. */
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
    // An instance that was given explicitly may be shared with the folder that it belongs to.
    decode({ app, instance, services, path: folder, ...(isSaid ? { share: true } : {}) }),
    InvalidRequest.fromParseError
  )
  const client = yield* PortServerClient
  const ensured = yield* client.ensure(request)
  yield* noteTakeover(ensured)
  yield* noteOtherPorts(ensured)
  return ensured
})
