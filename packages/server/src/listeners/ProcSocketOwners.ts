import { readdirSync, readlinkSync } from "node:fs"
import type { PortSocket } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import type { FoundSocket } from "../containers/PublishedPorts.ts"
import * as EventLoop from "../runtime/EventLoop.ts"
import * as Monotonic from "../runtime/Monotonic.ts"
import * as SystemError from "../runtime/SystemError.ts"
import { byImportance, ownerError, type PortSockets } from "./PortScanner.ts"
import * as ProcProcess from "./ProcProcess.ts"

/** A socket of the kernel's tables. */
export interface TableSocket extends Pick<PortSocket, "protocol" | "address" | "state"> {
  /** The number that the links of its file descriptors show. */
  readonly inode: string
  /** The user who opened it. */
  readonly uid: number
}

/**
 * How long the search reads file descriptors before it yields, in ms. One costs microseconds; through the thread pool it
 * would cost ten times as much.
 */
const sliceLength = 1

const isForbidden = (error: unknown) => ["EACCES", "EPERM"].includes(SystemError.errorCode(error) ?? "")

const entriesOf = (folder: string, onFailure: ProcProcess.OnFailure): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (!ProcProcess.isExpected(error)) onFailure(error)
    return []
  }
}

const socket = /^socket:\[(\d+)\]$/

/** The open sockets of a process with the link to each; yields after every descriptor. */
function* socketsOf(
  pid: string,
  onFailure: ProcProcess.OnFailure
): Generator<readonly [inode: string, link: string] | undefined> {
  yield undefined
  for (const descriptor of entriesOf(`/proc/${pid}/fd`, onFailure)) {
    const link = `/proc/${pid}/fd/${descriptor}`
    try {
      const [, inode] = socket.exec(readlinkSync(link)) ?? []
      yield inode === undefined ? undefined : [inode, link]
    } catch (error) {
      // Permission was denied: skip the rest of this process.
      if (isForbidden(error)) return
      if (!ProcProcess.isExpected(error)) onFailure(error)
    }
  }
}

/** The processes that have each socket open, with a link to it, by inode: a socket can be inherited, or passed on. */
type Holders = ReadonlyMap<string, ReadonlyMap<number, string>>

/** Look through the file descriptors of all processes. A failure does not end the search. */
const search = Effect.fnUntraced(function* (onFailure: ProcProcess.OnFailure) {
  const holders = new Map<string, Map<number, string>>()
  let since = Monotonic.now()
  for (const pid of entriesOf("/proc", onFailure)) {
    if (!/^\d+$/.test(pid)) continue
    for (const found of socketsOf(pid, onFailure)) {
      if (found !== undefined) {
        const [inode, link] = found
        const others = holders.get(inode)
        if (others === undefined) holders.set(inode, new Map([[Number(pid), link]]))
        else others.set(Number(pid), link)
      }
      if (Monotonic.now() - since < sliceLength) continue
      yield* EventLoop.yieldToIO
      since = Monotonic.now()
    }
  }
  return holders
})

const leadsTo = (link: string, inode: string): boolean => {
  try {
    return readlinkSync(link) === `socket:[${inode}]`
  } catch {
    return false
  }
}

/** The processes of a socket; of several, those that still have it: until it execs, a new child has its parent's. */
const pidsOf = (holders: Holders, { inode }: TableSocket): ReadonlyArray<number> => {
  const found = [...(holders.get(inode) ?? [])]
  const current = found.length > 1 ? found.filter(([, link]) => leadsTo(link, inode)) : found
  return (current.length === 0 ? found : current).map(([pid]) => pid)
}

/** How long a new child may take until it execs, and has its parent's sockets no more. */
const untilExec = "20 millis"

/** The ends of many connections that one process has at one address are shown as one. */
const withoutRepeated = (sockets: ReadonlyArray<FoundSocket>): ReadonlyArray<FoundSocket> => {
  const seen = new Set<string>()
  return sockets.filter(({ address, pid, protocol, state }) => {
    if (state !== "connected") return true
    const key = `${protocol} ${address} ${pid}`
    const isNew = !seen.has(key)
    seen.add(key)
    return isNew
  })
}

/** What is known of the owners of one snapshot's sockets. */
interface Owners {
  readonly holders: Holders
  readonly users: ReadonlyMap<string, string>
  readonly processes: Map<number, ProcProcess.ProcessInfo>
  failure: unknown
}

const readOwners = Effect.gen(function* () {
  let failure: unknown
  const onFailure = (error: unknown) => {
    failure ??= error
  }
  const users = yield* ProcProcess.userNames(onFailure)
  const holders: Holders = yield* search(onFailure)
  const owners: Owners = { holders, users, processes: new Map(), failure }
  return owners
})

/** Finds the owners of sockets among the file descriptors of all processes. */
export const make = Effect.map(Effect.makeSemaphore(1), (one) => {
  /** The sockets that processes in different folders had open, each with one of the processes: `INODE PID`. */
  let known: ReadonlySet<string> = new Set()

  /** The owners of the sockets of one snapshot: the processes are searched once. */
  const ofSnapshot = () => {
    let read: Owners | undefined

    const sockets = Effect.fnUntraced(function* (ports: ReadonlyMap<number, ReadonlyArray<TableSocket>>) {
      if (ports.size === 0) return new Map<number, PortSockets>()
      read ??= yield* readOwners
      const owners = read
      const pids = new Set(
        [...ports.values()].flatMap((each) =>
          each.flatMap(({ inode }) => [...(owners.holders.get(inode)?.keys() ?? [])])
        )
      )
      yield* Effect.forEach(
        [...pids].filter((pid) => !owners.processes.has(pid)),
        (pid) =>
          Effect.map(
            ProcProcess.describe(pid, (error) => {
              owners.failure ??= error
            }),
            (process) => owners.processes.set(pid, process)
          ),
        { concurrency: 8, discard: true }
      )
      // A child that has changed its folder on the way to its exec would be a stranger on the port.
      const shared = [...ports.values()].flat().flatMap((each) => {
        const holding = pidsOf(owners.holders, each)
        const folders = new Set(holding.map((pid) => owners.processes.get(pid)?.cwd))
        return folders.size > 1 ? holding.map((pid) => `${each.inode} ${pid}`) : []
      })
      if (shared.some((each) => !known.has(each))) yield* Effect.sleep(untilExec)
      // What is known of other ports stays, as long as the processes have the sockets open.
      const others = [...known].filter((each) => {
        const [inode = "", pid] = each.split(" ")
        return owners.holders.get(inode)?.has(Number(pid)) === true
      })
      known = new Set([...others, ...shared])
      const listenersOf = (found: TableSocket): ReadonlyArray<FoundSocket> => {
        const { address, inode: _inode, protocol, state, uid } = found
        const user = owners.users.get(String(uid)) || String(uid)
        const place = { protocol, ...(address === undefined ? {} : { address }), state }
        const processes = pidsOf(owners.holders, found).map((pid) => owners.processes.get(pid) ?? { pid })
        return (processes.length === 0 ? [{}] : processes).map((process) => ({ ...place, ...process, user }))
      }
      const error = owners.failure === undefined ? {} : ownerError(SystemError.errorReason(owners.failure))
      return new Map(
        [...ports].map(([port, each]): readonly [number, PortSockets] => [
          port,
          { listeners: withoutRepeated(each.flatMap(listenersOf)).toSorted(byImportance), ...error }
        ])
      )
    })

    return (ports: ReadonlyMap<number, ReadonlyArray<TableSocket>>) => one.withPermits(1)(sockets(ports))
  }

  return { ofSnapshot } as const
})
