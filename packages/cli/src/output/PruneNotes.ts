import { existsSync } from "node:fs"
import type { Allocation } from "@port-server/domain/Allocation"
import type { ListeningPort } from "@port-server/domain/Listener"
import { removedFolder, socketsOf } from "@port-server/domain/ListenerSockets"
import { escapeControls } from "@port-server/domain/Name"
import { KeptReason } from "@port-server/domain/Prune"
import * as Schema from "effect/Schema"
import { ownerAndId } from "./AllocationTable.ts"
import { byProcess, holds } from "./ListenerFormat.ts"

/** Most ids in one note, and most notes of one kind. */
const many = 20

/** Why prune keeps an allocation: the server's reason, or that its folder is there, where portctl runs. */
export const KeptHereReason = Schema.Literal(...KeptReason.literals, "seen")

/** What prune keeps, and why. */
export interface KeptHere {
  readonly allocation: Allocation
  readonly reason: typeof KeptHereReason.Type
}

type Note = (count: number, example: string, ids: string) => string

/** The notes on what prune keeps, by reason. */
const notes: Readonly<Record<Exclude<KeptHere["reason"], "listening">, Note>> = {
  seen: (count, example, ids) =>
    `${count} allocation(s) belong to folders that are there and that port-server does not see, like ${example}; they are kept: ${ids}`,
  parent_gone: (count, example, ids) =>
    `${count} allocation(s) belong to folders whose parent folder is gone too, like ${example}; portctl release --id gives one back: ${ids}`,
  not_mounted: (count, example, ids) =>
    `${count} allocation(s) belong to folders on a disk that seems not to be mounted, like ${example}; portctl release --id gives one back: ${ids}`,
  unknown: (count, example, ids) =>
    `${count} allocation(s) belong to folders that could not be probed, like ${example}; they are kept: ${ids}`
}

const shortened = (texts: ReadonlyArray<string>): ReadonlyArray<string> =>
  texts.length > many ? [...texts.slice(0, many), `and ${texts.length - many} more`] : texts

/** The processes that listen in folders that were removed, of those that the registry knows. */
const stillListening = (all: ReadonlyArray<Allocation>, listening: ReadonlyArray<ListeningPort>) => {
  const paths = [...new Set(all.flatMap(({ path }) => path ?? []))]
  return listening.flatMap((each) =>
    byProcess(socketsOf(each)).flatMap(({ first }) => {
      const { belongs, cwd = "", state } = first
      const folder = removedFolder(cwd)
      if (folder === undefined || belongs === "yes" || state === "connected") return []
      if (!paths.some((path) => folder === path || folder.startsWith(`${path}/`))) return []
      const port = `port ${each.port}${each.holder === undefined ? "" : ` of ${ownerAndId(each.holder)}`}`
      const fate = existsSync(folder) ? "was removed and made anew" : "is gone"
      return [{ port: each.port, text: `${holds({ first }, port)} in ${escapeControls(folder)}, which ${fate}` }]
    })
  )
}

/** The notes on what prune keeps although its folder is not known to be there, and on what listens in such folders. */
export const keptNotes = (
  kept: ReadonlyArray<KeptHere>,
  all: ReadonlyArray<Allocation>,
  listening: ReadonlyArray<ListeningPort>
): ReadonlyArray<string> => {
  const gone = stillListening(all, listening)
  const others = kept.flatMap(({ allocation, reason }) => {
    const { path = "", port } = allocation
    if (reason !== "listening" || gone.some((each) => each.port === port)) return []
    const [group] = byProcess(socketsOf(listening.find((each) => each.port === port) ?? {}))
    const who = group === undefined ? "something holds it" : holds(group, "it")
    return [
      `port ${port} of ${ownerAndId(allocation)}, whose folder ${escapeControls(path)} is gone, is kept, because ${who}`
    ]
  })
  const general = KeptHereReason.literals.flatMap((reason) => {
    if (reason === "listening") return []
    const allocations = kept.flatMap((each) => (each.reason === reason ? [each.allocation] : []))
    const [first] = allocations
    if (first === undefined) return []
    const more = allocations.length > many ? ` and ${allocations.length - many} more` : ""
    const ids = allocations.slice(0, many).map(({ id }) => id)
    return [notes[reason](allocations.length, escapeControls(first.path ?? ""), `${ids.join(", ")}${more}`)]
  })
  return [...general, ...shortened(gone.map(({ text }) => text)), ...shortened(others)]
}
