import * as Command from "@port-server/command-line/command/Command"
import { NonZeroExit } from "@port-server/command-line/UsageError"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { PortStatus } from "@port-server/domain/api/Results"
import { socketsOf } from "@port-server/domain/ListenerSockets"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as ContainerFormat from "../../output/ContainerFormat.ts"
import { byProcess, holds, places } from "../../output/ListenerFormat.ts"
import * as Output from "../../output/Output.ts"
import { isFree, sentence } from "../../output/PortSentence.ts"
import { privilegedNote } from "../../platform/PortLimits.ts"
import * as Options from "../Options.ts"
import * as SchemaOptions from "../SchemaOptions.ts"

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
    parameters: { port: SchemaOptions.port, json: Options.json }
  },
  Effect.fnUntraced(function* ({ port, json }) {
    const client = yield* PortServerClient
    const status = yield* Output.print(PortStatus, { json })(client.check(port), (status) =>
      [sentence(status), ...holderLines(status)].join("\n")
    )
    const doubt = status.available ? ContainerFormat.unknownReservation(status) : undefined
    if (doubt !== undefined) yield* Console.error(`note: ${doubt}`)
    const forbidden = isFree(status) ? privilegedNote(port) : undefined
    if (forbidden !== undefined) yield* Console.error(forbidden)
    if (!isFree(status)) return yield* new NonZeroExit({ status: 1 })
  })
)
