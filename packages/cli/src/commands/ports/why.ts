import { realpathSync } from "node:fs"
import { isAbsolute, relative } from "node:path"
import * as Command from "@port-server/command-line/command/Command"
import type { Allocation } from "@port-server/domain/Allocation"
import { PortStatus } from "@port-server/domain/api/PortServerApi"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import type { Listener } from "@port-server/domain/Listener"
import { escapeControls } from "@port-server/domain/Name"
import * as Effect from "effect/Effect"
import * as AllocationTable from "../../output/AllocationTable.ts"
import { isListening } from "../../output/ListenerFormat.ts"
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

const listened = (listener: Listener | undefined, error: string | undefined): ReadonlyArray<string> => {
  if (listener === undefined) return error === undefined ? ["nothing is listening on it"] : unknown(error)
  return [isListening(listener, "it"), told("user", listener.user), told("folder", listener.cwd), ...unknown(error)]
}

/** What is known of a port, in a few lines. */
const story = ({ available, holder, holder_error = "", listener, listener_error, port }: PortStatus): string =>
  [
    ...(available
      ? [`port ${port} is not allocated`]
      : holder === undefined
        ? [escapeControls(holder_error)]
        : held(port, holder)),
    ...listened(listener, listener_error),
    ...(listener === undefined
      ? []
      : holder === undefined
        ? !available
          ? []
          : [`nobody registered it: portctl allocate --app APP --instance INSTANCE --service SERVICE --port ${port}`]
        : [`belongs to the allocation's project: ${belongs(holder, listener)}`])
  ].join("\n")

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
