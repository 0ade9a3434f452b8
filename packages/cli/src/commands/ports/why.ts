import { realpathSync } from "node:fs"
import { isAbsolute, relative } from "node:path"
import * as Command from "@port-server/command-line/command/Command"
import type { Allocation } from "@port-server/domain/Allocation"
import { PortStatus } from "@port-server/domain/api/PortServerApi"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { type Listener, socketsOf } from "@port-server/domain/Listener"
import { escapeControls } from "@port-server/domain/Name"
import * as Effect from "effect/Effect"
import * as AllocationTable from "../../output/AllocationTable.ts"
import { byProcess, holds, type ProcessSockets, places } from "../../output/ListenerFormat.ts"
import * as Output from "../../output/Output.ts"
import * as Options from "../Options.ts"

/** A folder as the machine names it; one that is gone, as it was written. */
const resolved = (folder: string): string => {
  try {
    return realpathSync(folder)
  } catch {
    // Linux says so behind the folder of a process when it is gone.
    return folder.replace(/ \(deleted\)$/, "")
  }
}

/** Whether a listener runs in the project's folder or below it. */
const belongs = ({ path }: Allocation, { cwd }: Listener): string => {
  if (path === undefined) return "unknown, for the allocation has no project folder"
  if (cwd === undefined) return "unknown, for the listener's folder cannot be read"
  const way = relative(resolved(path), resolved(cwd))
  return way === ".." || /^\.\.[/\\]/.test(way) || isAbsolute(way) ? "no" : "yes"
}

const told = (label: string, text = "-") => `  ${`${label}:`.padEnd(9)} ${escapeControls(text)}`

const held = (port: number, holder: Allocation): ReadonlyArray<string> => [
  `port ${port} is allocated to ${AllocationTable.ownerAndId(holder)}`,
  told("since", `${AllocationTable.formatTime(holder.created_at)} UTC`),
  told("project", holder.path)
]

const unknown = (error: string | undefined): ReadonlyArray<string> =>
  error === undefined ? [] : [`unknown: ${escapeControls(error)}`]

const listened = (groups: ReadonlyArray<ProcessSockets>, error: string | undefined): ReadonlyArray<string> => {
  if (groups.length === 0) return error === undefined ? ["nothing is listening on it"] : unknown(error)
  const lines = groups.flatMap((group) => [
    `${holds(group, "it")} (${places(group)})`,
    told("user", group.first.user),
    told("folder", group.first.cwd)
  ])
  return [...lines, ...unknown(error)]
}

/** Whose the processes are: `yes` only when every one belongs to the project. */
const verdict = (holder: Allocation, groups: ReadonlyArray<ProcessSockets>): string => {
  const verdicts = groups.map(({ first }) => belongs(holder, first))
  return verdicts.find((each) => each === "no") ?? verdicts.find((each) => each !== "yes") ?? "yes"
}

/** What is known of a port, in a few lines. */
const story = (status: PortStatus): string => {
  const { available, holder, holder_error = "", listener_error, port } = status
  const groups = byProcess(socketsOf(status))
  const lines = (): ReadonlyArray<string> => {
    if (available) return [`port ${port} is not allocated`]
    return holder === undefined ? [escapeControls(holder_error)] : held(port, holder)
  }
  const conclusion = (): ReadonlyArray<string> => {
    if (groups.length === 0) return []
    if (holder !== undefined) return [`belongs to the allocation's project: ${verdict(holder, groups)}`]
    return available
      ? [`nobody registered it: portctl allocate --app APP --instance INSTANCE --service SERVICE --port ${port}`]
      : []
  }
  return [...lines(), ...listened(groups, listener_error), ...conclusion()].join("\n")
}

/** `portctl why` */
export const why = Command.make(
  "why",
  {
    summary: "Show who holds a port, and what listens on it",
    details: ["A listener belongs to the allocation's project if it runs in the project's folder or below it."],
    examples: ["portctl why --port 3000"],
    parameters: { port: Options.port, json: Options.json }
  },
  ({ json, port }) =>
    Effect.flatMap(PortServerClient, (client) => Output.print(PortStatus, { json })(client.check(port), story))
)
