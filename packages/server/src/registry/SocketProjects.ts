import type { Container } from "@port-server/domain/Container"
import { isEngineProgram } from "@port-server/domain/EngineProgram"
import type { StorageError } from "@port-server/domain/Errors"
import type { PortSocket, Reservation } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import { FolderProbe } from "../folders/FolderProbe.ts"
import { AllocationRepository } from "../storage/AllocationRepository.ts"
import { type Belongs, belongs, foldersBelow, foldersUp, markersOf, mayBeDeleted } from "./Belonging.ts"
import { MovedFolders } from "./MovedFolders.ts"
import { MovedWorktrees } from "./MovedWorktrees.ts"
import {
  containersOf,
  folderOf,
  type HeldPort,
  isWorkingCopy,
  type JudgedPort,
  type Moved,
  noFolders,
  placesOf,
  realOf,
  type Socket,
  type States
} from "./SocketFolders.ts"

/** The folder of a process that does not belong to the port's project. */
const foreignFolder = (socket: PortSocket, moved: Moved): string | undefined => {
  const folder = (socket.belongs ?? "no") === "no" ? folderOf(socket, moved) : undefined
  return folder === undefined || mayBeDeleted(folder) ? undefined : folder
}

/** Of several stopped containers, one that is not the project's is shown. */
const reservationOf = (
  containers: ReadonlyArray<Container>,
  judge: ((socket: Socket) => Belongs) | undefined
): { readonly reserved?: Reservation } => {
  const judged = containers.map(
    (container): Reservation => (judge === undefined ? { container } : { container, belongs: judge({ container }) })
  )
  const told = judged.find((each) => each.belongs !== "yes") ?? judged[0]
  if (told === undefined) return {}
  return { reserved: judged.length === 1 ? told : { ...told, others: judged.length - 1 } }
}

/** Where the folders in the labels of containers are now, also of worktrees that only git knows to have been moved. */
const withMoved = (ports: ReadonlyArray<HeldPort>, places: ReadonlyMap<string, string>, moved: Moved): Moved => {
  const labels = places.size === 0 ? [] : containersOf(ports).flatMap(({ folder }) => folder ?? [])
  const found = labels.flatMap((label) => {
    const former = foldersUp(label).find((folder) => places.has(folder)) ?? ""
    const present = places.get(former)
    return present === undefined ? [] : [[label, `${present}${label.slice(former.length)}`] as const]
  })
  return new Map([...found, ...moved])
}

/** Decides which of the processes that hold ports belong to the ports' projects. */
export class SocketProjects extends Effect.Service<SocketProjects>()("@port-server/server/registry/SocketProjects", {
  effect: Effect.gen(function* () {
    const store = yield* AllocationRepository
    const { probe } = yield* FolderProbe
    const movedFolders = yield* MovedFolders
    const worktrees = yield* MovedWorktrees

    const judge = Effect.fnUntraced(function* (
      ports: ReadonlyArray<HeldPort>,
      projectOf: (port: HeldPort) => string | undefined,
      moved: Moved
    ) {
      const places = placesOf(ports, projectOf, moved)
      const ends: States = yield* probe(
        places.flatMap(({ folder, isContainer, project }) => [
          project,
          ...(isContainer || mayBeDeleted(folder) ? [folder] : [])
        ])
      )
      const between = new Set(
        places.flatMap(({ folder, project }) => foldersBelow(realOf(folder, ends), realOf(project, ends)) ?? [])
      )
      const known = between.size === 0 ? noFolders : yield* store.projectFolders([...between])
      const states: States = yield* probe([...between].flatMap(markersOf))

      const belongsTo = (project: string, socket: Socket): Belongs => {
        const { command, container } = socket
        const folder = folderOf(socket, moved)
        if (folder === undefined || (container === undefined && isEngineProgram(command))) return "unknown"
        const state = ends.get(folder)
        if (container !== undefined && state?._tag === "Absent") return "no"
        if (mayBeDeleted(folder) && folder !== project && state?._tag !== "Present") return "no"
        if (folder === project && folder !== "/") return "yes"
        const verdict = belongs(realOf(folder, ends), realOf(project, ends), (each) =>
          isWorkingCopy(each, known, states)
        )
        // A path that cannot be probed may have symbolic links.
        const isUnknown = [project, folder].some((each) => ends.get(each)?._tag === "Unknown")
        return verdict === "no" && isUnknown ? "unknown" : verdict
      }
      const projects = new Set(places.map(({ project }) => project))
      return { belongsTo, gone: [...projects].filter((project) => ends.get(project)?._tag === "Absent") }
    })

    /** The project of each folder that a process runs in, where the registry knows it. */
    const projectsOf = Effect.fnUntraced(function* (folders: ReadonlyArray<string>) {
      const chains = folders.map((folder) => [folder, foldersUp(folder)] as const)
      const known = yield* store.projectsAt([...new Set(chains.flatMap(([, above]) => above))])
      const nearest = chains.flatMap(([folder, above]) => {
        const project = above.find((each) => known.has(each))
        return project === undefined ? [] : [[folder, project] as const]
      })
      const between = nearest.flatMap(([folder, project]) => foldersBelow(folder, project) ?? [])
      const states: States = yield* probe([...new Set(between)].flatMap(markersOf))
      const isOther = (folder: string) => isWorkingCopy(folder, noFolders, states)
      return new Map(
        nearest.flatMap(([folder, project]) => {
          const found = known.get(project)
          return found !== undefined && belongs(folder, project, isOther) === "yes" ? [[folder, found] as const] : []
        })
      )
    })

    /** Name the projects of the processes that do not belong to the one that holds the port. */
    const withProjects = Effect.fnUntraced(function* <Port extends HeldPort>(ports: ReadonlyArray<Port>, moved: Moved) {
      const foreign = ports.flatMap(({ listeners = [] }) =>
        listeners.flatMap((socket) => foreignFolder(socket, moved) ?? [])
      )
      if (foreign.length === 0) return ports
      const projects = yield* projectsOf([...new Set(foreign)])
      return ports.map((port) => {
        const listeners = port.listeners?.map((socket) => {
          const project = projects.get(foreignFolder(socket, moved) ?? "")
          return project === undefined ? socket : { ...socket, project }
        })
        return { ...port, ...(listeners === undefined ? {} : { listeners }) }
      })
    })

    return {
      /**
       * Add to each socket of a port that a project holds whether its process belongs to the project, or to another one
       * that is known; and to each port the stopped container that publishes it.
       *
       * @param path the folder of the project that it is about, whoever holds the ports
       */
      judge: <Port extends HeldPort>(
        ports: ReadonlyArray<Port>,
        path?: string
      ): Effect.Effect<ReadonlyArray<JudgedPort<Port>>, StorageError> =>
        Effect.gen(function* () {
          const moved = yield* movedFolders.among(containersOf(ports).flatMap(({ folder }) => folder ?? []))
          const before = (port: HeldPort) => path ?? port.holder?.path
          const first = yield* judge(ports, before, moved)
          const places = yield* worktrees.among(first.gone)
          const projectOf = (port: HeldPort) => places.get(before(port) ?? "") ?? before(port)
          const former = withMoved(ports, places, moved)
          const { belongsTo } = places.size === 0 ? first : yield* judge(ports, projectOf, former)
          const all = ports.map((port) => {
            const project = projectOf(port)
            const judged = project === undefined ? undefined : (socket: Socket) => belongsTo(project, socket)
            const listeners =
              judged === undefined
                ? port.listeners
                : port.listeners?.map((socket) => ({ ...socket, belongs: judged(socket) }))
            const reserved = reservationOf(port.reserving ?? [], judged)
            return { ...port, ...(listeners === undefined ? {} : { listeners }), ...reserved }
          })
          return (yield* withProjects(all, former)).map(({ reserving: _reserving, ...port }) => port)
        })
    } as const
  })
}) {}
