import * as Command from "@port-server/command-line/command/Command"
import type { Allocation } from "@port-server/domain/Allocation"
import type { PortStatus } from "@port-server/domain/api/Results"
import type { Container } from "@port-server/domain/Container"
import { idleState } from "@port-server/domain/ContainerState"
import { isEngineProgram } from "@port-server/domain/EngineProgram"
import type { RegistryEvent } from "@port-server/domain/Event"
import { socketsOf } from "@port-server/domain/ListenerSockets"
import { escapeControls } from "@port-server/domain/Name"
import { PortStory, storyOf } from "../../client/PortStory.ts"
import * as AllocationTable from "../../output/AllocationTable.ts"
import * as ContainerFormat from "../../output/ContainerFormat.ts"
import * as EventFormat from "../../output/EventFormat.ts"
import { byProcess, holds, type ProcessSockets, places, processName, projectName } from "../../output/ListenerFormat.ts"
import * as Output from "../../output/Output.ts"
import * as Options from "../Options.ts"
import * as SchemaOptions from "../SchemaOptions.ts"

const told = (label: string, text = "-") => `  ${`${label}:`.padEnd(9)} ${escapeControls(text)}`

const held = (port: number, holder: Allocation): ReadonlyArray<string> => [
  `port ${port} is allocated to ${AllocationTable.ownerAndId(holder)}`,
  told("since", `${AllocationTable.formatTime(holder.created_at)} UTC`),
  told("project", holder.path)
]

const unknown = (error: string | undefined): ReadonlyArray<string> =>
  error === undefined ? [] : [`unknown: ${escapeControls(error)}`]

/** The folder of a container's Compose project, if it is of one. */
const folderOf = ({ folder }: Container): ReadonlyArray<string> =>
  folder === undefined ? [] : [told("folder", folder)]

/** Who it is behind the sockets: a process, or a container and how to stop it. */
const detailsOf = ({ first }: ProcessSockets, container_error: string | undefined): ReadonlyArray<string> => {
  const { container, cwd, pid, user } = first
  const reason = ContainerFormat.unknownContainer(first, container_error)
  if (container === undefined) {
    return [
      told("user", user),
      told("folder", cwd),
      ...(reason === undefined ? [] : [`  which container it listens for is unknown: ${reason}`])
    ]
  }
  return [
    ...(pid === undefined ? [] : [told("process", processName(first))]),
    ...folderOf(container),
    told("stop it", ContainerFormat.stopCommand(container))
  ]
}

const listened = (
  groups: ReadonlyArray<ProcessSockets>,
  { container_error, listener_error }: PortStatus
): ReadonlyArray<string> => {
  if (groups.length === 0)
    return listener_error === undefined ? ["nothing is listening on it"] : unknown(listener_error)
  const lines = groups.flatMap((group) => [
    `${holds(group, "it")} (${places(group)})`,
    ...detailsOf(group, container_error),
    ...(group.first.project === undefined ? [] : [told("project", projectName(group.first.project))]),
    ...(groups.length > 1 && group.first.belongs !== undefined ? [told("belongs", group.first.belongs)] : [])
  ])
  return [...lines, ...unknown(listener_error)]
}

/** The stopped container that publishes the port, or why it is unknown whether one does. */
const reservedLines = (status: PortStatus): ReadonlyArray<string> => {
  const { reserved } = status
  if (reserved === undefined) {
    const doubt = ContainerFormat.unknownReservation(status)
    return doubt === undefined ? [] : [doubt]
  }
  return [
    ContainerFormat.reserves(reserved, "it"),
    ...folderOf(reserved.container),
    idleState(reserved.container) === "restarting"
      ? told("stop it", ContainerFormat.stopCommand(reserved.container))
      : told("remove", ContainerFormat.removeCommand(reserved.container)),
    ...(reserved.belongs === undefined ? [] : [told("belongs", reserved.belongs)])
  ]
}

/** Whether the processes belong to the allocation's project: `yes` only when every one does. */
const verdict = ({ path }: Allocation, groups: ReadonlyArray<ProcessSockets>): string => {
  if (path === undefined) return "unknown, for the allocation has no project folder"
  const verdicts = groups.map(({ first }) => first.belongs)
  if (verdicts.includes("no")) return "no"
  if (verdicts.every((each) => each === "yes")) return "yes"
  const unclear = groups.map(({ first }) => first).filter(({ belongs }) => belongs !== "yes")
  if (unclear.some(({ container }) => container !== undefined && container.folder === undefined)) {
    return "unknown, because the container is not of a Compose project"
  }
  if (unclear.some(({ command, container }) => container === undefined && isEngineProgram(command))) {
    return "unknown, because it is not known which container it is"
  }
  if (unclear.some(({ container, cwd }) => container === undefined && cwd === undefined)) {
    return "unknown, because the listener's folder cannot be read"
  }
  return path === "/"
    ? "unknown, because its folder is /, in which all daemons run"
    : "unknown, because its folder does not respond"
}

const history = (events: ReadonlyArray<RegistryEvent> = []): ReadonlyArray<string> =>
  events.length === 0 ? [] : ["what happened to it last:", ...events.map((event) => `  ${EventFormat.line(event)}`)]

/** What is known of a port, in a few lines. */
const story = (status: PortStory): string => {
  const { available, holder, holder_error = "", port, reserved } = status
  const groups = byProcess(socketsOf(status))
  const lines = (): ReadonlyArray<string> => {
    if (available) return [`port ${port} is not allocated`]
    return holder === undefined ? [escapeControls(holder_error)] : held(port, holder)
  }
  const conclusion = (): ReadonlyArray<string> => {
    if (groups.length === 0 && (reserved === undefined || !available)) return []
    if (holder !== undefined) return [`belongs to the allocation's project: ${verdict(holder, groups)}`]
    return available
      ? [`to allocate it: portctl allocate --app APP --instance INSTANCE --service SERVICE --port ${port}`]
      : []
  }
  return [
    ...lines(),
    ...listened(groups, status),
    ...reservedLines(status),
    ...conclusion(),
    ...history(status.events)
  ].join("\n")
}

/** `portctl why` */
export const why = Command.make(
  "why",
  {
    summary: "Show who holds a port, what listens on it, and what happened to it",
    details: [
      "A process belongs to the allocation's project if the deepest working copy that contains its folder is the project's; for a container, the folder of its Compose project counts. yes: every process belongs to it; no: at least one does not."
    ],
    examples: ["portctl why --port 3000"],
    parameters: { port: SchemaOptions.port, json: Options.json }
  },
  ({ json, port }) => Output.print(PortStory, { json })(storyOf(port), story)
)
