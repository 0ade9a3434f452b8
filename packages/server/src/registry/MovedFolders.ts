import { join } from "node:path"
import * as Effect from "effect/Effect"
import { FolderProbe } from "../folders/FolderProbe.ts"
import { AllocationRepository } from "../storage/AllocationRepository.ts"
import * as FormerFolders from "../storage/FormerFolders.ts"
import { foldersBelow, foldersUp, markersOf, topOf } from "./Belonging.ts"
import { isWorkingCopy, noFolders, type States } from "./SocketFolders.ts"

const nothing: ReadonlyMap<string, string> = new Map()

/** A path without symbolic links, also where its end does not exist. */
const realPath = (path: string, states: States): string => {
  const nearest = foldersUp(path).find((folder) => states.get(folder)?._tag !== "Absent") ?? path
  const state = states.get(nearest)
  return state?._tag === "Present" ? join(state.real, path.slice(nearest.length)) : path
}

/** The top of a project's working copy, as it was then, and the folders below it up to this one. */
const foldersFrom = (folder: string, { folder: former, project }: FormerFolders.Place): ReadonlyArray<string> => {
  const top = topOf(former, project) ?? former
  return [top, ...(foldersBelow(folder, top) ?? [])]
}

/**
 * Where the folders in the labels of containers are now: a label keeps the folder of a working copy that was moved since.
 * A folder where another working copy is now, by the registry or on the disk, is that one's.
 */
export class MovedFolders extends Effect.Service<MovedFolders>()("@port-server/server/registry/MovedFolders", {
  effect: Effect.gen(function* () {
    const store = yield* AllocationRepository
    const { probe } = yield* FolderProbe

    return {
      /** Those of the folders that were moved, with their new paths. */
      among: Effect.fnUntraced(function* (folders: ReadonlyArray<string>) {
        if (folders.length === 0 || !(yield* store.read(FormerFolders.exist))) return nothing
        const ends: States = yield* probe(folders.flatMap(foldersUp))
        const real = [...new Set(folders)].map((label) => ({ label, folder: realPath(label, ends) }))
        const all = new Set(real.flatMap(({ folder }) => foldersUp(folder)))
        const places = yield* store.read((reader) => FormerFolders.placesOf(reader, [...all]))
        const left = real.flatMap(({ folder, label }) => {
          const place = places.get(foldersUp(folder).find((each) => places.has(each)) ?? "")
          return place === undefined || place.present === place.folder ? [] : [{ folder, label, place }]
        })
        const states: States = yield* probe(
          left.flatMap(({ folder, place }) => [place.folder, ...foldersFrom(folder, place).flatMap(markersOf)])
        )
        // Outside git, nothing tells a working copy from a folder that an engine made for a mount.
        const isFree = ({ folder, place }: (typeof left)[number]) =>
          place.home === place.present
            ? states.get(place.folder)?._tag === "Absent"
            : foldersFrom(folder, place).every((each) => isWorkingCopy(each, noFolders, states) === false)
        return new Map(
          left
            .filter(isFree)
            .map(({ folder, label, place }) => [label, join(place.present, folder.slice(place.folder.length))])
        )
      })
    } as const
  })
}) {}
