import type { Allocation } from "@port-server/domain/Allocation"
import type { StorageError } from "@port-server/domain/Errors"
import type { PortSocket } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import { FolderProbe } from "../folders/FolderProbe.ts"
import type { FolderState } from "../folders/FolderState.ts"
import { AllocationRepository } from "../storage/AllocationRepository.ts"
import { type Belongs, belongs, foldersBelow, foldersUp, markersOf, mayBeDeleted } from "./Belonging.ts"

/** A port with its sockets, as far as they are known, and its holder. */
interface HeldPort {
  readonly holder?: Allocation
  readonly listeners?: ReadonlyArray<PortSocket>
}

type States = ReadonlyMap<string, FolderState>

const noFolders: ReadonlySet<string> = new Set()

/** A project's folder without symbolic links. */
const realOf = (project: string, states: States): string => {
  const state = states.get(project)
  return state?._tag === "Present" ? state.real : project
}

/** Whether the folder is the top of a working copy of its own: a submodule is part of its superproject. */
const isWorkingCopy = (folder: string, known: ReadonlySet<string>, states: States): boolean | undefined => {
  const found = markersOf(folder).map((marker) => states.get(marker))
  const present = found.filter((state) => state?._tag === "Present")
  if (present.some(({ isSubmodule = false }) => isSubmodule)) return false
  if (present.length > 0 || known.has(folder)) return true
  return found.some((state) => state?._tag !== "Absent") ? undefined : false
}

/** Whether a process is in a folder that is not the one of the port's project. */
const isForeign = (socket: PortSocket): socket is PortSocket & { readonly cwd: string } =>
  socket.cwd !== undefined && (socket.belongs ?? "no") === "no"

/** The processes' folders and the projects of ports. */
const placesOf = (ports: ReadonlyArray<HeldPort>, path: string | undefined) =>
  ports.flatMap(({ holder, listeners = [] }) => {
    const project = path ?? holder?.path
    return project === undefined
      ? []
      : listeners.flatMap(({ cwd }) => (cwd === undefined || cwd === project ? [] : [{ cwd, project }]))
  })

/** Decides which of the processes that hold ports belong to the ports' projects. */
export class SocketProjects extends Effect.Service<SocketProjects>()("@port-server/server/registry/SocketProjects", {
  effect: Effect.gen(function* () {
    const store = yield* AllocationRepository
    const { probe } = yield* FolderProbe

    const judge = Effect.fnUntraced(function* (ports: ReadonlyArray<HeldPort>, path: string | undefined) {
      const places = placesOf(ports, path)
      const ends: States = yield* probe(
        places.flatMap(({ cwd, project }) => [project, ...(mayBeDeleted(cwd) ? [cwd] : [])])
      )
      const between = new Set(places.flatMap(({ cwd, project }) => foldersBelow(cwd, realOf(project, ends)) ?? []))
      const known = between.size === 0 ? new Set<string>() : yield* store.projectFolders([...between])
      const states: States = yield* probe([...between].flatMap(markersOf))

      return (project: string, { cwd }: PortSocket): Belongs => {
        if (cwd === undefined) return "unknown"
        if (mayBeDeleted(cwd) && cwd !== project && ends.get(cwd)?._tag !== "Present") return "no"
        if (cwd === project) return "yes"
        const verdict = belongs(cwd, realOf(project, ends), (folder) => isWorkingCopy(folder, known, states))
        // A path that cannot be probed may have symbolic links.
        return verdict === "no" && ends.get(project)?._tag === "Unknown" ? "unknown" : verdict
      }
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
    const withProjects = Effect.fnUntraced(function* <Port extends HeldPort>(ports: ReadonlyArray<Port>) {
      const foreign = ports.flatMap(({ listeners = [] }) =>
        listeners.flatMap((socket) => (isForeign(socket) && !mayBeDeleted(socket.cwd) ? [socket.cwd] : []))
      )
      if (foreign.length === 0) return ports
      const projects = yield* projectsOf([...new Set(foreign)])
      return ports.map((port) => ({
        ...port,
        ...(port.listeners === undefined
          ? {}
          : {
              listeners: port.listeners.map((socket) => {
                const project = isForeign(socket) ? projects.get(socket.cwd) : undefined
                return project === undefined ? socket : { ...socket, project }
              })
            })
      }))
    })

    return {
      /**
       * Add to each socket of a port that a project holds whether its process belongs to the project, or to another one
       * that is known.
       *
       * @param path the folder of the project that it is about, whoever holds the ports
       */
      judge: <Port extends HeldPort>(
        ports: ReadonlyArray<Port>,
        path?: string
      ): Effect.Effect<ReadonlyArray<Port>, StorageError> =>
        Effect.flatMap(judge(ports, path), (belongsTo) =>
          withProjects(
            ports.map((port) => {
              const project = path ?? port.holder?.path
              if (project === undefined || port.listeners === undefined) return port
              const listeners = port.listeners.map((socket) => ({ ...socket, belongs: belongsTo(project, socket) }))
              return { ...port, listeners }
            })
          )
        )
    } as const
  }),
  dependencies: [AllocationRepository.Default, FolderProbe.Default]
}) {}
