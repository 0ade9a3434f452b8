import * as Command from "@port-server/command-line/command/Command"
import { NonZeroExit } from "@port-server/command-line/UsageError"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { PortStatus } from "@port-server/domain/api/Results"
import { socketsOf } from "@port-server/domain/Listener"
import { escapeControls } from "@port-server/domain/Name"
import * as Effect from "effect/Effect"
import * as AllocationTable from "../../output/AllocationTable.ts"
import * as ContainerFormat from "../../output/ContainerFormat.ts"
import { byProcess, holds, places } from "../../output/ListenerFormat.ts"
import * as Output from "../../output/Output.ts"
import * as Options from "../Options.ts"

/** Whether the port is free, in one sentence. */
const sentence = (status: PortStatus): string => {
  const { holder, holder_error, listener_error, port, reserved } = status
  if (holder !== undefined) return `port ${port} is allocated to ${AllocationTable.ownerAndId(holder)}`
  if (holder_error !== undefined) return escapeControls(holder_error)
  const [first] = byProcess(socketsOf(status))
  if (first !== undefined) return `port ${port} is not allocated, but ${holds(first, "it")}`
  if (reserved !== undefined) return `port ${port} is not allocated, but ${ContainerFormat.reserves(reserved, "it")}`
  return listener_error === undefined
    ? `port ${port} is available`
    : `port ${port} is not allocated, but ${escapeControls(listener_error)}`
}

const foreign = ", and does not belong to the allocation's project"

/** The sockets on the port, one line for each process or container, and the stopped container that publishes it. */
const holderLines = (status: PortStatus): ReadonlyArray<string> => {
  const { container_error, reserved } = status
  const lines = byProcess(socketsOf(status)).map((group) => {
    const reason = ContainerFormat.unknownContainer(group.first, container_error)
    const remark = reason === undefined ? "" : `; which container it listens for is unknown: ${reason}`
    return `${holds(group, "it")} (${places(group)})${group.first.belongs === "no" ? foreign : ""}${remark}`
  })
  const reservation =
    reserved === undefined
      ? []
      : [`${ContainerFormat.reserves(reserved, "it")}${reserved.belongs === "no" ? foreign : ""}`]
  return [...lines, ...reservation].map((line) => `  ${line}`)
}

/** `portctl check` */
export const check = Command.make(
  "check",
  {
    summary: "Check that a port is free: no allocation, no socket, no container",
    examples: ["portctl check --port 5432"],
    exitCodes: {
      0: "The port is free",
      1: "It is allocated, a socket holds it or may, a stopped container publishes it, or the server did not respond"
    },
    parameters: { port: Options.port, json: Options.json }
  },
  Effect.fnUntraced(function* ({ port, json }) {
    const client = yield* PortServerClient
    const status = yield* Output.print(PortStatus, { json })(client.check(port), (status) =>
      [sentence(status), ...holderLines(status)].join("\n")
    )
    const isFree = status.available && socketsOf(status).length === 0 && status.reserved === undefined
    if (!isFree || status.listener_error !== undefined) {
      return yield* new NonZeroExit({ status: 1 })
    }
  })
)
