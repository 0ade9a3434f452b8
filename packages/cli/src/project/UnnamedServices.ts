import { parse } from "node:path"
import type { Allocation } from "@port-server/domain/Allocation"
import type { ListeningPort } from "@port-server/domain/Listener"
import { servicesByName } from "@port-server/domain/ServiceSettings"
import * as Effect from "effect/Effect"
import * as ProjectFileLoader from "./ProjectFileLoader.ts"

/** An allocation whose service no project file names, and the file that would. */
export interface Unnamed {
  readonly allocation: Allocation
  readonly file: string
}

/** The project file in a folder, and the services that it and those above it name; nothing where there is none. */
const namedIn = Effect.fnUntraced(function* (folder: string) {
  const project = yield* ProjectFileLoader.find(folder, folder)
  if (project === undefined) return undefined
  const files = [project, ...(yield* ProjectFileLoader.above(project, parse(folder).root))]
  const names = new Set(files.flatMap(({ contents }) => [...servicesByName(contents.services).keys()]))
  return { file: project.file, names }
})

/**
 * Which allocations are for services that no project file names any more: of folders that have such a file, where no
 * socket is on the port.
 *
 * @param allocations those of services that a project file has named
 * @param excluded folders that are not to be read
 * @param isNamed whether something else names the service of a folder
 */
export const unnamedServices = Effect.fnUntraced(function* (
  allocations: ReadonlyArray<Allocation>,
  listening: ReadonlyArray<ListeningPort>,
  excluded: ReadonlySet<string>,
  isNamed: (path: string, service: string) => boolean
) {
  const busy = new Set(listening.map(({ port }) => port))
  const folders = new Map<string, { readonly file: string; readonly names: ReadonlySet<string> } | undefined>()
  const found: Array<Unnamed> = []
  for (const allocation of allocations) {
    const { path, port, service } = allocation
    if (path === undefined || excluded.has(path) || busy.has(port) || isNamed(path, service)) continue
    // A file that cannot be used says nothing.
    if (!folders.has(path)) folders.set(path, yield* Effect.orElseSucceed(namedIn(path), () => undefined))
    const named = folders.get(path)
    if (named !== undefined && !named.names.has(service)) found.push({ allocation, file: named.file })
  }
  return found
})
