import type { Allocation } from "@port-server/domain/Allocation"
import type { Container } from "@port-server/domain/Container"
import type { PortSocket, Reservation } from "@port-server/domain/Listener"
import type { FolderState } from "../folders/FolderState.ts"
import { markersOf, projectFileOf } from "./Belonging.ts"

/** A port with its sockets and the stopped containers that publish it, as far as they are known, and its holder. */
export interface HeldPort {
  readonly holder?: Allocation
  readonly listeners?: ReadonlyArray<PortSocket>
  readonly reserving?: ReadonlyArray<Container>
}

/** The same, judged. */
export type JudgedPort<Port extends HeldPort> = Omit<Port & { readonly reserved?: Reservation }, "reserving">

/** What a process or a container is judged by. */
export type Socket = Pick<PortSocket, "command" | "container" | "cwd">

/** What was found out about folders. */
export type States = ReadonlyMap<string, FolderState>

/** A folder without symbolic links, as far as that is known. */
export const realOf = (folder: string, states: States): string => {
  const state = states.get(folder)
  return state?._tag === "Present" ? state.real : folder
}

/** Where no folder is known to be a project's. */
export const noFolders: ReadonlySet<string> = new Set()

/**
 * Whether the folder is the top of a working copy or a project of its own: a submodule is part of its superproject, unless
 * it is a project.
 */
export const isWorkingCopy = (folder: string, known: ReadonlySet<string>, states: States): boolean | undefined => {
  const found = markersOf(folder).map((marker) => states.get(marker))
  const present = found.filter((state) => state?._tag === "Present")
  if (known.has(folder) || states.get(projectFileOf(folder))?._tag === "Present") return true
  if (present.some(({ isSubmodule = false }) => isSubmodule)) return false
  if (present.length > 0) return true
  return found.some((state) => state?._tag !== "Absent") ? undefined : false
}

/** Where folders of containers are now, of working copies that were moved. */
export type Moved = ReadonlyMap<string, string>

/** The folder that a process runs in, or that of its container's Compose project as it is called now. */
export const folderOf = ({ container, cwd }: Socket, moved: Moved): string | undefined =>
  container === undefined ? cwd : (moved.get(container.folder ?? "") ?? container.folder)

/** The containers of ports. */
export const containersOf = (ports: ReadonlyArray<HeldPort>): ReadonlyArray<Container> =>
  ports.flatMap(({ listeners = [], reserving = [] }) => [
    ...listeners.flatMap(({ container }) => container ?? []),
    ...reserving
  ])

/** The folders of processes and containers, and the projects that they are compared with. */
export const placesOf = (
  ports: ReadonlyArray<HeldPort>,
  projectOf: (port: HeldPort) => string | undefined,
  moved: Moved
) =>
  ports.flatMap((port) => {
    const { listeners = [], reserving = [] } = port
    const project = projectOf(port)
    if (project === undefined) return []
    const sockets: ReadonlyArray<Socket> = [...listeners, ...reserving.map((container) => ({ container }))]
    return sockets.flatMap((socket) => {
      const folder = folderOf(socket, moved)
      const isContainer = socket.container !== undefined
      return folder === undefined || (folder === project && !isContainer) ? [] : [{ project, folder, isContainer }]
    })
  })
