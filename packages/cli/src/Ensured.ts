import * as NodeFs from "node:fs"
import { escapeControls } from "@port-server/domain/Allocation"
import { type AskedService, type Ensured, EnsureRequest } from "@port-server/domain/Ensure"
import { InvalidRequest } from "@port-server/domain/Errors"
import { PortServerClient } from "@port-server/domain/PortServerClient"
import { projectFileName, type ServiceSettings } from "@port-server/domain/ProjectFile"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Given, Here } from "./Here.ts"
import * as Output from "./Output.ts"

const decode = Schema.decodeUnknown(EnsureRequest)

/** The instance of an app, as answers name it: `myapp/main`. */
export const placeOf = ({ app, instance }: Pick<Here, "app" | "instance">): string =>
  escapeControls(`${app}/${instance}`)

/** What the project file says of each service; nothing where there is no file. */
export const settingsOf = ({ project }: Here): ReadonlyMap<string, ServiceSettings> =>
  new Map(Object.entries(project?.contents.services ?? {}))

/** Said where neither the command line nor a project file names a service. */
export const noServices = Output.failed(
  `no services: name them with --service, or in a ${projectFileName} (portctl init writes one)`
)

/** The services asked for, or those of the project file. */
export const askedIn = (here: Here, asked: ReadonlyArray<AskedService>): ReadonlyArray<AskedService> =>
  asked.length > 0 ? asked : [...settingsOf(here).keys()].map((service) => ({ service }))

const real = (path: string): string | undefined => {
  try {
    return NodeFs.realpathSync(path)
  } catch {
    return undefined
  }
}

/** Say so when another folder has the same ports, unless the command line asked for exactly these. */
const warnOfOther = ({ allocations }: Ensured, here: Here, given: Given) => {
  const folders = allocations.flatMap(({ path }) => (path === undefined ? [] : [path]))
  const other = folders.find((path) => ![here.folder, undefined].includes(real(path)))
  return other === undefined || (Option.isSome(given.app) && Option.isSome(given.instance))
    ? Effect.void
    : Console.error(
        `note: ${placeOf(here)} has these ports for ${escapeControls(other)} too; keep them apart with --instance or PORTCTL_INSTANCE`
      )
}

/** Give the services their ports, in the folder where the verb runs, with what its project file says of them. */
export const ensureIn = Effect.fnUntraced(function* (here: Here, given: Given, asked: ReadonlyArray<AskedService>) {
  const { app, folder, instance } = here
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
  const client = yield* PortServerClient
  return yield* Effect.tap(client.ensure(request), (ensured) => warnOfOther(ensured, here, given))
})
