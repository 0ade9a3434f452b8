import { shellWord } from "@port-server/command-line/command/ShellWord"
import { suggest } from "@port-server/command-line/command/Suggestion"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { namesOf, portsFrom } from "@port-server/domain/Block"
import { InvalidRequest } from "@port-server/domain/CommonErrors"
import { EnsureRequest, type RequestedService, type ServiceRequest } from "@port-server/domain/Ensure"
import { escapeControls } from "@port-server/domain/Name"
import { type ServiceSettings, servicesByName } from "@port-server/domain/ServiceSettings"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
import type { Given } from "./Given.ts"
import { notePlace } from "./PlaceNotes.ts"
import { noteNotPreferred, noteOtherPorts, notePrivileged, noteReserved, warnOfForeign } from "./PortNotes.ts"
import type { Here } from "./ProjectContext.ts"
import { withWholeBlocks } from "./WholeBlocks.ts"

const decode = Schema.decodeUnknown(EnsureRequest)

/** What the project file says about each service; nothing if there is no file. */
export const settingsOf = ({ project }: Here): ReadonlyMap<string, ServiceSettings> =>
  new Map(Object.entries(project?.contents.services ?? {}))

/** The names of the services that a project file has, also those of the ports of its blocks. */
const namedServices = ({ project }: Here): ReadonlySet<string> =>
  new Set(servicesByName(project?.contents.services ?? {}).keys())

/** The project that has a service: the nearest one, unless only one of those above names it. */
export const placeOf = (here: Here, service: string): Here =>
  [here, ...here.above].find((each) => namedServices(each).has(service)) ?? here

/** The same; fails where that is one of those above, and the command line says the app or instance of the nearest. */
export const placeFor = (here: Here, service: string, given: Given) => {
  const place = placeOf(here, service)
  const isSaid = Option.isSome(given.app) || Option.isSome(given.instance)
  if (place === here || !isSaid) return Effect.succeed(place)
  return CliError.make(
    escapeControls(
      `${service} is a service of ${place.project?.file ?? place.folder}; --app and --instance are about ${here.folder}: give them in ${place.folder}`
    )
  )
}

/** The service of a working copy that has neither a project file nor ports. */
export const defaultService = "web"

/** The services of a project: those of its file; without one, those that have ports already, or else `web`. */
export const knownServices = Effect.fnUntraced(function* (here: Here) {
  if (here.project !== undefined) return [...settingsOf(here).keys()]
  const held = new Set((yield* heldPorts(here)).allocations.map(({ service }) => service))
  return held.size === 0 ? [defaultService] : [...held]
})

/** The services asked for, or else those of the project. */
export const requestedServices = (here: Here, asked: ReadonlyArray<RequestedService>) =>
  asked.length > 0
    ? Effect.succeed(asked)
    : Effect.map(
        knownServices(here),
        (services): ReadonlyArray<RequestedService> => services.map((service) => ({ service }))
      )

/** Ask for the ports of services in the folder where the command runs, or, of none, for those that it has. */
const ask = Effect.fnUntraced(function* (here: Here, services: ReadonlyArray<unknown>, isDryRun: boolean) {
  const { app, instance, isSaid, workingCopy } = here
  const asked = yield* Effect.mapError(
    decode({
      app,
      instance,
      services,
      working_copy: workingCopy,
      ...(isSaid ? { share: true } : {}),
      ...(isDryRun ? { dry_run: true } : {})
    }),
    InvalidRequest.fromParseError
  )
  const client = yield* PortServerClient
  return yield* client.ensure(asked)
})

/** The same, with notes about the place. */
const request = (here: Here, services: ReadonlyArray<unknown>, isDryRun = false) =>
  Effect.tap(ask(here, services, isDryRun), (result) =>
    notePlace(result, here.below === undefined ? undefined : here.folder)
  )

/** The app and instance that the folder really has, and the ports of its services. Nothing is allocated. */
export const heldPorts = (here: Here) => request(here, [])

/** The app and instance that the folder has by the server; nothing where none responds. */
export const knownPlace = (here: Here) =>
  ask(here, [], true).pipe(
    Effect.map(({ app, instance }) => ({ app, instance })),
    Effect.option
  )

/** All that is allocated to a folder, of whichever instance: only after {@link heldPorts} has it what was moved there. */
export const allocationsOf = (here: Here) =>
  Effect.zipRight(
    heldPorts(here),
    Effect.flatMap(PortServerClient, (client) => client.list({ path: here.folder }))
  )

/** What a service that the project file does not name may be meant to be: the middle of a note. */
const meantBy = (here: Here, service: string): string | undefined => {
  const names = namedServices(here)
  if (names.has(service)) return undefined
  const { folder, project } = placeOf(here, service)
  if (project !== undefined && folder !== here.folder) {
    return `${escapeControls(project.file)} has it, and portctl get ${shellWord(service)} prints that port;`
  }
  const meant = suggest(service, names)
  return meant === undefined ? undefined : `did you mean ${escapeControls(meant)}?`
}

/** Notes about the services without a port so far that may be meant to be others. */
const doubtNotes = Effect.fnUntraced(function* (here: Here, asked: ReadonlyArray<RequestedService>) {
  const doubtful = asked.flatMap(({ service }) => {
    const meant = meantBy(here, service)
    return meant === undefined ? [] : [{ service, meant }]
  })
  if (doubtful.length === 0) return []
  const held = new Set((yield* ask(here, [], true)).allocations.map(({ service }) => service))
  return doubtful
    .filter(({ service }) => !held.has(service))
    .map(({ meant, service }) => {
      const name = escapeControls(service)
      return `note: portctl.json has no service ${name}, ${meant} portctl release --here --service ${shellWord(service)} gives this one back`
    })
})

/**
 * Give the services their ports, in the folder where the command runs, with the settings of its project file. A block is
 * given whole, also where only some of its ports are asked for.
 */
export const ensureServices = Effect.fnUntraced(function* (
  here: Here,
  asked: ReadonlyArray<RequestedService>,
  isDryRun = false
) {
  const settings = settingsOf(here)
  const services = (yield* withWholeBlocks(here, asked)).map(({ port, service }): ServiceRequest => {
    const { align, prefer, size } = settings.get(service) ?? {}
    const block = { ...(size === undefined ? {} : { size }), ...(settings.has(service) ? { named: true } : {}) }
    if (port) return { service, port, ...block }
    return {
      service,
      ...(prefer === undefined ? {} : { prefer }),
      ...(align === undefined ? {} : { align }),
      ...block
    }
  })
  const notes = isDryRun ? [] : yield* doubtNotes(here, services)
  const ensured = yield* request(here, services, isDryRun)
  yield* Effect.forEach(notes, (note) => Console.error(note), { discard: true })
  yield* noteOtherPorts(ensured)
  yield* noteNotPreferred(ensured)
  yield* notePrivileged(services, ensured.allocations)
  const names = new Set(asked.flatMap(({ service }) => namesOf(service, settings.get(service))))
  const allocations = ensured.allocations.filter(({ service }) => names.has(service))
  if (isDryRun) return { ...ensured, allocations }
  yield* warnOfForeign(here, allocations)
  yield* noteReserved(
    asked.flatMap(({ port, service }) => (port ? portsFrom(port, { size: settings.get(service)?.size ?? 1 }) : []))
  )
  return { ...ensured, allocations }
})

/**
 * Give services their ports as they are asked for, where the project file says nothing else of them.
 *
 * @param isDryRun nothing is allocated: the ports are those that they would get
 */
export const ensureWished = (here: Here, wished: ReadonlyArray<ServiceRequest>, isDryRun: boolean) => {
  const settings = settingsOf(here)
  const services = wished.map((each) => {
    const { align, prefer, size } = settings.get(each.service) ?? {}
    const named = settings.has(each.service) || undefined
    // Of a block that the file has, there are never less ports than the ones that are needed.
    const most = size === undefined || each.size === undefined ? (size ?? each.size) : Math.max(size, each.size)
    const own = { port: each.port, prefer: prefer ?? each.prefer, size: most, align, named }
    return { service: each.service, ...Record.filter(own, Predicate.isNotUndefined) }
  })
  return Effect.tap(request(here, services, isDryRun), (ensured) => (isDryRun ? Effect.void : noteOtherPorts(ensured)))
}
