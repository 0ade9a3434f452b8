import type { Allocation } from "@port-server/domain/Allocation"
import type { StorageError } from "@port-server/domain/Errors"
import type { PortSocket } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import { FolderProbe } from "../folders/FolderProbe.ts"
import type { FolderState } from "../folders/FolderState.ts"
import { AllocationRepository } from "../storage/AllocationRepository.ts"
import { type Belongs, belongs, foldersBelow, markersOf, mayBeDeleted } from "./Belonging.ts"

/** A port with its sockets, as far as they are known, and its holder. */
interface HeldPort {
  readonly holder?: Allocation
  readonly listeners?: ReadonlyArray<PortSocket>
}

type States = ReadonlyMap<string, FolderState>

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

/** The processes' folders and the projects of ports. */
const placesOf = (ports: ReadonlyArray<HeldPort>) =>
  ports.flatMap(({ holder, listeners = [] }) => {
    const project = holder?.path
    return project === undefined
      ? []
      : listeners.flatMap(({ cwd }) => (cwd === undefined || cwd === project ? [] : [{ cwd, project }]))
  })

/** Decides which of the processes that hold ports belong to the ports' projects. */
export class SocketProjects extends Effect.Service<SocketProjects>()("@port-server/server/registry/SocketProjects", {
  effect: Effect.gen(function* () {
    const store = yield* AllocationRepository
    const { probe } = yield* FolderProbe

    const judge = Effect.fnUntraced(function* (ports: ReadonlyArray<HeldPort>) {
      const places = placesOf(ports)
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

    return {
      /** Add to each socket of a port that a project holds whether its process belongs to the project. */
      judge: <Port extends HeldPort>(ports: ReadonlyArray<Port>): Effect.Effect<ReadonlyArray<Port>, StorageError> =>
        Effect.map(judge(ports), (belongsTo) =>
          ports.map((port) => {
            const project = port.holder?.path
            if (project === undefined || port.listeners === undefined) return port
            const listeners = port.listeners.map((socket) => ({ ...socket, belongs: belongsTo(project, socket) }))
            return { ...port, listeners }
          })
        )
    } as const
  }),
  dependencies: [AllocationRepository.Default, FolderProbe.Default]
}) {}
