import { shellWord } from "@port-server/command-line/command/ShellWord"
import type { Allocation } from "@port-server/domain/Allocation"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import type { PortStatus } from "@port-server/domain/api/Results"
import { portsFrom } from "@port-server/domain/Block"
import type { EnsureResult, ServiceRequest } from "@port-server/domain/Ensure"
import type { PortSocket } from "@port-server/domain/Listener"
import { socketsOf } from "@port-server/domain/ListenerSockets"
import { escapeControls } from "@port-server/domain/Name"
import { Port } from "@port-server/domain/Port"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ownerAndId } from "../output/AllocationTable.ts"
import { reservationNote, reserves } from "../output/ContainerFormat.ts"
import { byProcess, holds, whose } from "../output/ListenerFormat.ts"
import { privilegedNote, privilegedReason } from "../platform/PortLimits.ts"
import * as User from "../platform/User.ts"
import { socketsOn } from "./PortSockets.ts"

/** Note the other ports of services that were given a new one now because exactly that one was asked for. */
export const noteOtherPorts = ({ also_held = [] }: EnsureResult) => {
  const blocks: Array<{ readonly first: Allocation; readonly ports: Array<number> }> = []
  for (const each of also_held) {
    const block = blocks.find(({ first }) => each.service === `${first.service}+${each.port - first.port}`)
    if (block === undefined) blocks.push({ first: each, ports: [each.port] })
    else block.ports.push(each.port)
  }
  return Effect.forEach(
    blocks,
    ({ first: { id, owner, port, service }, ports }) => {
      const last = Math.max(...ports)
      // Some of a block may have been released.
      const shown = last - port === ports.length - 1 ? `${port}-${last}` : ports.join(", ")
      return Console.error(
        ports.length === 1
          ? `note: ${owner} has port ${port} (id=${id}) too; portctl release --id ${id} gives it back`
          : `note: ${owner} has ports ${shown} too; portctl release --service ${shellWord(service)} --port ${port} gives them back`
      )
    },
    { discard: true }
  )
}

/** Note the ports that this user asks for and may not bind. */
export const notePrivileged = (asked: ReadonlyArray<ServiceRequest>, allocations: ReadonlyArray<Allocation>) =>
  Effect.forEach(
    asked,
    ({ port, prefer, service }) => {
      const isGiven = allocations.some((each) => each.service === service && each.port === (port ?? prefer))
      const note = isGiven ? privilegedNote(port ?? prefer ?? 0) : undefined
      return note === undefined ? Effect.void : Console.error(note)
    },
    { discard: true }
  )

/** Why a port was not given, if anything speaks against it: the rest of a sentence about it. */
const occupation = (status: PortStatus): string | undefined => {
  const { holder, port, reserved } = status
  if (holder !== undefined) return `${port} belongs to ${ownerAndId(holder)}`
  const groups = byProcess(socketsOf(status))
  if (groups.length > 0) return groups.map((group) => holds(group, String(port))).join(", ")
  return reserved === undefined ? undefined : reserves(reserved, String(port))
}

/** The same of the first of the ports that was not to be had. */
const occupationOf = Effect.fnUntraced(function* (ports: ReadonlyArray<number>) {
  const client = yield* PortServerClient
  for (const port of ports) {
    const status = yield* Effect.option(Effect.flatMap(Schema.decodeUnknown(Port)(port), client.check))
    const reason = Option.getOrUndefined(Option.map(status, occupation))
    const found = reason ?? privilegedReason(port)
    if (found !== undefined) return found
  }
  return `${ports[0]} cannot be had`
})

/** Note why services were given other ports now than those that they prefer. */
export const noteNotPreferred = ({ allocations, not_preferred = [] }: EnsureResult) =>
  Effect.forEach(
    not_preferred,
    Effect.fnUntraced(function* ({ prefer, service }) {
      const port = allocations.find((each) => each.service === service)?.port ?? 0
      const size = allocations.filter((each) =>
        [service, `${service}+${each.port - port}`].includes(each.service)
      ).length
      const reason = yield* occupationOf(portsFrom(prefer, { size }))
      yield* Console.error(`note: ${escapeControls(service)} prefers port ${prefer} and has ${port}: ${reason}`)
    }),
    { discard: true }
  )

/** Note which stopped containers of others cannot be started while ports are given to somebody else. */
export const noteReserved = (ports: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const client = yield* PortServerClient
    for (const port of ports) {
      const { reserved } = yield* client.check(Port.make(port))
      if (reserved !== undefined && reserved.belongs !== "yes") yield* Console.error(reservationNote(reserved, port))
    }
    // The ports are given all the same where it cannot be read who has them.
  }).pipe(Effect.ignore)

/** Whether a process is another user's, and it cannot be read whose project it belongs to. */
const isStranger = ({ belongs = "unknown", container, cwd, state, user }: PortSocket): boolean =>
  belongs === "unknown" &&
  container === undefined &&
  cwd === undefined &&
  state !== "connected" &&
  user !== undefined &&
  !User.isOwnName(user)

/** Most processes that one warning names: a server can have hundreds of workers. */
const mostNamed = 3

const isSameSocket = (one: PortSocket, other: PortSocket): boolean =>
  one.pid === other.pid && one.protocol === other.protocol && one.address === other.address

/**
 * Warn of what is on ports and does not belong to the project that has them, or may not, in one line for each port. What
 * belongs to the project below, in which the command runs, is none of it.
 */
export const warnOfForeign = (
  { below, folder }: { readonly folder: string; readonly below: string | undefined },
  allocations: ReadonlyArray<Allocation>
) =>
  Effect.gen(function* () {
    const ports = allocations.map(({ port }) => port)
    const judged = yield* socketsOn(folder, ports)
    const doubtful = ports.filter((port) => judged.get(port)?.some(({ belongs }) => belongs !== "yes"))
    const inside = below === undefined || doubtful.length === 0 ? undefined : yield* socketsOn(below, doubtful)
    for (const { port, service } of allocations) {
      const own = inside?.get(port)?.filter(({ belongs }) => belongs === "yes") ?? []
      const all = judged.get(port)?.filter((socket) => !own.some((each) => isSameSocket(each, socket))) ?? []
      const place = `port ${port} (${escapeControls(service)})`
      const foreign = byProcess(all.filter(({ belongs }) => belongs === "no"))
      const [stranger] = byProcess(all.filter(isStranger))
      if (stranger !== undefined && foreign.length === 0) {
        yield* Console.error(`warning: ${holds(stranger, place)}, whose project cannot be read`)
      }
      if (foreign.length === 0) continue
      const each = foreign.slice(0, mostNamed).map((group) => `${holds(group, place)} and ${whose(group.first)}`)
      const more = foreign.length > mostNamed ? `; and ${foreign.length - mostNamed} more` : ""
      yield* Console.error(`warning: ${each.join("; ")}${more}`)
    }
    // The ports are given all the same where it cannot be read what is on them.
  }).pipe(Effect.ignore)
