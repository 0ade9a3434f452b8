import * as Command from "@port-server/command-line/command/Command"
import type { Allocation } from "@port-server/domain/Allocation"
import { PortStatus } from "@port-server/domain/api/PortServerApi"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { RegistryEvent } from "@port-server/domain/Event"
import { socketsOf } from "@port-server/domain/Listener"
import { escapeControls } from "@port-server/domain/Name"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as AllocationTable from "../../output/AllocationTable.ts"
import * as EventFormat from "../../output/EventFormat.ts"
import { byProcess, holds, type ProcessSockets, places, projectName } from "../../output/ListenerFormat.ts"
import * as Output from "../../output/Output.ts"
import * as Options from "../Options.ts"

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
    told("folder", group.first.cwd),
    ...(group.first.project === undefined ? [] : [told("project", projectName(group.first.project))]),
    ...(groups.length > 1 && group.first.belongs !== undefined ? [told("belongs", group.first.belongs)] : [])
  ])
  return [...lines, ...unknown(error)]
}

/** Whether the processes belong to the allocation's project: `yes` only when every one does. */
const verdict = ({ path }: Allocation, groups: ReadonlyArray<ProcessSockets>): string => {
  if (path === undefined) return "unknown, for the allocation has no project folder"
  const verdicts = groups.map(({ first }) => first.belongs)
  if (verdicts.includes("no")) return "no"
  if (verdicts.every((each) => each === "yes")) return "yes"
  const isHidden = groups.some(({ first }) => first.belongs !== "yes" && first.cwd === undefined)
  return isHidden ? "unknown, for the listener's folder cannot be read" : "unknown, for its folder does not respond"
}

/** How many events of the port are told. */
const toldEvents = 3

const Story = Schema.Struct({
  ...PortStatus.fields,
  events: Schema.optionalWith(Schema.Array(RegistryEvent), { exact: true })
})

const history = (events: ReadonlyArray<RegistryEvent> = []): ReadonlyArray<string> =>
  events.length === 0 ? [] : ["what happened to it last:", ...events.map((event) => `  ${EventFormat.line(event)}`)]

/** What is known of a port, in a few lines. */
const story = (status: typeof Story.Type): string => {
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
  return [...lines(), ...listened(groups, listener_error), ...conclusion(), ...history(status.events)].join("\n")
}

/** `portctl why` */
export const why = Command.make(
  "why",
  {
    summary: "Show who holds a port, what listens on it, and what happened to it",
    details: [
      "A process belongs to the allocation's project if the deepest working copy that contains its folder is the project's. yes: all of them do; no: one does not."
    ],
    examples: ["portctl why --port 3000"],
    parameters: { port: Options.port, json: Options.json }
  },
  Effect.fnUntraced(function* ({ json, port }) {
    const client = yield* PortServerClient
    const events = client.events({ port, limit: toldEvents }).pipe(
      // An older server has none.
      Effect.catchTag("UnexpectedResponse", () => Effect.succeed<ReadonlyArray<RegistryEvent>>([]))
    )
    const all = Effect.flatMap(client.check(port), (status) =>
      Effect.map(events, (found) => (found.length === 0 ? status : { ...status, events: found }))
    )
    yield* Output.print(Story, { json })(all, story)
  })
)
