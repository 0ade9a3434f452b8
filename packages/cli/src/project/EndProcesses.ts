import { readlinkSync, statSync } from "node:fs"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { isEngineProgram } from "@port-server/domain/EngineProgram"
import type { PortSocket } from "@port-server/domain/Listener"
import { escapeControls } from "@port-server/domain/Name"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { codeOf } from "../errors/FileError.ts"
import { stopCommand } from "../output/ContainerFormat.ts"
import { whose } from "../output/ListenerFormat.ts"
import * as Process from "../platform/Process.ts"
import { socketsOn } from "./PortSockets.ts"

/** How long a process may take to end by itself. */
const patience = "5 seconds"

/** A process that was ended, and by which signal. */
export const Ended = Schema.Struct({
  pid: Schema.Int,
  command: Schema.optionalWith(Schema.String, { exact: true }),
  signal: Schema.Literal("SIGTERM", "SIGKILL")
})

/** A process that is left alone, and why: the rest of a sentence about it. */
export interface Kept {
  readonly socket: PortSocket
  readonly reason: string
}

/** What is to be done about the processes on a port. */
interface Plan {
  readonly toEnd: ReadonlyArray<{ readonly socket: PortSocket; readonly process: Process.Process }>
  readonly kept: ReadonlyArray<Kept>
}

const isSameFolder = (one: string, other: string): boolean =>
  Process.attempt(() => {
    const [first, second] = [statSync(one, { bigint: true }), statSync(other, { bigint: true })]
    return first.dev === second.dev && first.ino === second.ino
  }) === true

/**
 * Whether the process is not the one of this machine that the server means, for its number can be one of a container; or
 * /proc has the numbers of others than a signal reaches; or its folder is hidden, as by a mount, and another one is at that
 * path.
 */
const isElsewhere = ({ cwd = "", pid }: PortSocket): boolean => {
  if (process.platform !== "linux") return false
  const link = `/proc/${pid}/cwd`
  return !Process.isOwnProc() || Process.attempt(() => readlinkSync(link)) !== cwd || !isSameFolder(link, cwd)
}

/** Why a process must not be ended, if anything speaks against it. */
const objection = (
  socket: PortSocket,
  found: Process.Process | undefined,
  line: ReadonlySet<number>,
  server: number
): string | undefined => {
  const { belongs, command, container, pid, user = "another user" } = socket
  if (container !== undefined) return `is a container: ${stopCommand(container)} stops it`
  if (isEngineProgram(command)) return "listens for a container"
  if (belongs !== "yes") return whose(socket)
  if (pid === undefined || found === undefined) return "cannot be found on this machine"
  if (pid === 1) return "is the first process of the system"
  if (pid === server) return "is port-server itself: portctl stop stops it"
  if (line.has(pid)) return "is what this portctl was started from"
  if (found.uids.some((uid) => uid !== process.getuid?.())) return `belongs to the user ${escapeControls(user)}`
  return isElsewhere(socket) ? "cannot be found on this machine" : undefined
}

/** Whether a process that was this working copy's has gone to another folder or user; it may have no socket any more. */
const hasLeft = ({ process, socket }: Plan["toEnd"][number]): boolean =>
  Process.isAlive(process) && (isElsewhere(socket) || Process.find(process.pid)?.uids.join() !== process.uids.join())

/** The sockets on a port by which something can come in, one for each process or container. */
const holders = Effect.fnUntraced(function* (folder: string, port: number) {
  const sockets = (yield* socketsOn(folder, [port])).get(port) ?? []
  const held = sockets.filter(({ state }) => state !== "connected")
  const keyOf = ({ address, container, pid, protocol }: PortSocket) => container?.id ?? pid ?? `${protocol} ${address}`
  return [...new Map(held.map((socket) => [keyOf(socket), socket])).values()]
})

/** Which of the processes on a port may be ended by the working copy in a folder. */
const plan = Effect.fnUntraced(function* (folder: string, port: number) {
  const client = yield* PortServerClient
  const { pid: server } = yield* client.server()
  const before = yield* holders(folder, port)
  const known = new Map(before.map(({ pid = 0 }) => [pid, Process.find(pid)] as const))
  // A process that started before this answer, and has the port in it, has its number by right.
  const sockets = before.length === 0 ? before : yield* holders(folder, port)
  const line = Process.ownLine()
  const result: { [Key in keyof Plan]: Array<Plan[Key][number]> } = { toEnd: [], kept: [] }
  for (const socket of sockets) {
    const process = known.get(socket.pid ?? 0)
    const reason = objection(socket, process, line, server)
    if (reason !== undefined || process === undefined) result.kept.push({ socket, reason: reason ?? "" })
    else result.toEnd.push({ socket, process })
  }
  const done: Plan = result
  return done
})

/**
 * Send a signal to that very process; not when it has ended, and its number may be another one's. Returns the code of the
 * error that prevented it.
 */
const send = (found: Process.Process, signal: NodeJS.Signals) =>
  Effect.sync(() => {
    try {
      if (Process.isAlive(found)) process.kill(found.pid, signal)
      return undefined
    } catch (error) {
      const code = codeOf(error)
      return code === "ESRCH" ? undefined : code
    }
  })

const gone = (found: Process.Process) =>
  Effect.sync(() => Process.isAlive(found)).pipe(
    Effect.repeat({ while: (isAlive) => isAlive, schedule: Schedule.spaced("20 millis") }),
    Effect.timeoutOption(patience),
    Effect.map(Option.isSome)
  )

/** End a process: with SIGTERM, and where it is still there after 5 s and nothing speaks against it then, with SIGKILL. */
const end = Effect.fnUntraced(function* (
  { process, socket }: Plan["toEnd"][number],
  objectionNow: Effect.Effect<Kept | undefined, Effect.Effect.Error<ReturnType<typeof plan>>, PortServerClient>
) {
  const ended = (signal: (typeof Ended.Type)["signal"]): typeof Ended.Type => {
    const { pid } = process
    return socket.command === undefined ? { pid, signal } : { pid, command: socket.command, signal }
  }
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const kept = signal === "SIGKILL" ? yield* objectionNow : undefined
    if (kept !== undefined) return kept
    const code = yield* send(process, signal)
    if (code !== undefined) return { socket, reason: `takes no signal of yours (${code})` }
    if (yield* gone(process)) return ended(signal)
  }
  return { socket, reason: "still runs after SIGKILL" }
})

/** What was done about the processes on a port. */
export interface Outcome {
  readonly port: number
  readonly ended: ReadonlyArray<typeof Ended.Type>
  readonly kept: ReadonlyArray<Kept>
}

/** End the processes on a port that the working copy in a folder may end. */
export const endOn = Effect.fnUntraced(function* (folder: string, port: number) {
  const { kept, toEnd } = yield* plan(folder, port)
  const results = yield* Effect.forEach(
    toEnd,
    (each) =>
      end(
        each,
        Effect.map(plan(folder, port), (now) => {
          const kept = now.kept.find(({ socket }) => socket.pid === each.process.pid)
          return (
            kept ?? (hasLeft(each) ? { socket: each.socket, reason: "has left this working copy since" } : undefined)
          )
        })
      ),
    { concurrency: "unbounded" }
  )
  const outcome: Outcome = {
    port,
    ended: results.flatMap((each) => ("signal" in each ? [each] : [])),
    kept: [...kept, ...results.flatMap((each) => ("signal" in each ? [] : [each]))]
  }
  return outcome
})
