import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import * as Effect from "effect/Effect"
import * as GitLocation from "./GitLocation.ts"
import type { Here } from "./ProjectContext.ts"
import { isWithin } from "./ProjectFileLoader.ts"
import { heldPorts, instanceLabel } from "./ProjectPorts.ts"

/** The folders below that have ports of their own: packages of a monorepo, and no working copies inside it. */
const projectsBelow = Effect.fnUntraced(function* ({ folder }: Here) {
  const all = yield* (yield* PortServerClient).list()
  const paths = new Set(all.flatMap(({ path }) => path ?? []))
  return [...paths].filter((path) => path !== folder && isWithin(path, folder) && GitLocation.isPartOf(path, folder))
})

/**
 * Release what was ensured for a working copy: of services, or where none is named of all. `other` is another folder with
 * ports of the same instance, which stay, and so do those of projects `below`. `missing` are the services that had no
 * port, `held` those that had one.
 */
export const releaseOwn = Effect.fnUntraced(function* (here: Here, services?: ReadonlyArray<string>) {
  const { folder } = here
  const client = yield* PortServerClient
  const { app, instance } = yield* heldPorts(here)
  const filters = services?.map((service) => ({ path: folder, service })) ?? [{ path: folder }]
  const held = yield* client.list({ path: folder })
  const [other] = (yield* client.list({ app, instance })).flatMap(({ path = folder }) =>
    path === folder ? [] : [path]
  )
  const below = services === undefined ? yield* projectsBelow(here) : []
  const block = services === undefined ? {} : { block: true }
  // Nothing is asked afterwards: if that failed, nobody would learn what was released.
  const released = yield* Effect.forEach(filters, (filter) => client.releaseMatching({ ...filter, ...block }))
  const own = held.filter(({ service }) => services?.includes(service) ?? true)
  const places = [...new Set((own.length === 0 ? held : own).map(instanceLabel))]
  const place = instanceLabel({ app, instance })
  const deleted = released.reduce((sum, { deleted }) => sum + deleted, 0)
  return {
    deleted,
    folder,
    places: places.length === 0 ? [place] : places,
    place,
    other,
    below,
    missing:
      services?.filter(
        (name, index) => released[index]?.deleted === 0 && own.every(({ service }) => service !== name)
      ) ?? [],
    held: held.map(({ service }) => service)
  }
})
