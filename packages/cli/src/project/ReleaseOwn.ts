import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Allocation } from "@port-server/domain/Allocation"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { projectFileName } from "@port-server/domain/Defaults"
import { escapeControls } from "@port-server/domain/Name"
import * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as GitLocation from "./GitLocation.ts"
import { instanceLabel } from "./PlaceNotes.ts"
import type { Here } from "./ProjectContext.ts"
import { isWithin } from "./ProjectFileLoader.ts"
import { heldPorts } from "./ProjectPorts.ts"

/** The folders below that have ports of their own: packages of a monorepo, and no working copies inside it. */
const projectsBelow = Effect.fnUntraced(function* ({ folder }: Here) {
  const all = yield* (yield* PortServerClient).list()
  const paths = new Set(all.flatMap(({ path }) => path ?? []))
  return [...paths]
    .filter((path) => path !== folder && isWithin(path, folder) && GitLocation.isPartOf(path, folder))
    .map((path) => ({ path, ids: all.flatMap((each) => (each.path === path ? [each.id] : [])) }))
})

/** Note which services had no port, and which ports stay: those of another folder, and those of projects below. */
const noteRest = Effect.fnUntraced(function* (rest: {
  readonly missing: ReadonlyArray<string>
  readonly held: ReadonlyArray<Allocation>
  readonly place: string
  readonly other: string | undefined
  readonly below: ReadonlyArray<{ readonly path: string; readonly ids: ReadonlyArray<number> }>
  /** Whether a folder below is a project by its file alone. */
  readonly isInCopy: boolean
}) {
  const { held, missing, other, place } = rest
  const [present, lost] = Arr.partition(rest.below, ({ path }) => !existsSync(path))
  const [former, projects] = Arr.partition(
    present,
    ({ path }) => !rest.isInCopy || existsSync(join(path, projectFileName))
  )
  const below = projects.map(({ path }) => path)
  const gone = lost.map(({ path }) => path)
  const listed = (names: ReadonlyArray<string>) => escapeControls(names.join(", "))
  if (missing.length > 0) {
    const others = held.length === 0 ? "" : `, but for ${listed(held.map(({ service }) => service))}`
    yield* Console.error(`note: this working copy had no port for ${listed(missing)}${others}`)
  }
  if (other !== undefined) yield* Console.error(`note: ${place} has ports of ${escapeControls(other)} too; they stay`)
  if (below.length > 0) {
    const [their, each] = below.length === 1 ? ["has ports of its", "it"] : ["have ports of their", "each"]
    yield* Console.error(
      `note: ${listed(below)} ${their} own, which stay; portctl release --here in ${each} gives them back`
    )
  }
  for (const { ids, path } of former) {
    const commands = ids.map((id) => `portctl release --id ${id}`).join("; ")
    yield* Console.error(`note: ${listed([path])} has no portctl.json any more, and ports still, for: ${commands}`)
  }
  if (gone.length > 0) {
    const has = gone.length === 1 ? "is gone, and has" : "are gone, and have"
    yield* Console.error(`note: ${listed(gone)} ${has} ports still; portctl prune gives them back`)
  }
})

/** Release what was ensured for a working copy, of services, or where none is named of all, and note what is left. */
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
  const missing = (services ?? []).filter(
    (name, index) => released[index]?.deleted === 0 && own.every(({ service }) => service !== name)
  )
  yield* noteRest({ missing, held, place, other, below, isInCopy: here.top !== undefined })
  return { deleted, folder, places: places.length === 0 ? [place] : places }
})
