import { batch, computed, effect, signal } from "@preact/signals"
import * as Api from "../api/Api.ts"
import type { Unread } from "../model/PortState.ts"
import { problemsOf } from "../model/Problems.ts"
import { reuse } from "../model/Reuse.ts"
import type { Allocation, Containers, ListeningPort, ServerInfo, Stale } from "../model/Types.ts"
import { keyOf, type WorkingCopy, workingCopies } from "../model/WorkingCopies.ts"

/** What the server said last; nothing before its first response. */
export const allocations = signal<ReadonlyArray<Allocation> | undefined>(undefined)
/** The ports that sockets hold, once they could be read. */
export const listening = signal<ReadonlyArray<ListeningPort> | Unread>("reading")
/** The same, none of them while they are not known. */
export const knownListening = computed(() => (typeof listening.value === "string" ? [] : listening.value))
/** The container engine and its containers; nothing while they are not known. */
export const containers = signal<Containers | undefined>(undefined)
/** Why what listens is not known. */
export const listenersError = signal<string | undefined>(undefined)
/** The branches of the working copies, by their keys. */
export const branches = signal<ReadonlyMap<string, string>>(new Map())
/** The allocations whose folder is not known to be there. */
const stale = signal<Stale>({ allocations: [] })
/** What the server says about itself. */
export const server = signal<ServerInfo | undefined>(undefined)
/** Whether the server answers; why not. */
export const failure = signal<string | undefined>(undefined)
/** When everything was last read. */
export const readAt = signal<Date | undefined>(undefined)

const reuseCopies = reuse<WorkingCopy>(({ key }) => key)
/** The working copies, in the order in which they are shown. */
export const copies = computed(() =>
  reuseCopies(workingCopies(allocations.value ?? [], listening.value, stale.value, containers.value?.reserved ?? []))
)
/** What is wrong. */
export const problems = computed(() => problemsOf(copies.value))
/** The ports that nobody has allocated and something listens on or is bound to; ends of connections are too many. */
export const unallocated = computed(() =>
  knownListening.value.filter(
    ({ holder, listeners = [] }) => holder === undefined && listeners.some(({ state }) => state !== "connected")
  )
)

const readListeners = () =>
  Api.listeners().then(
    (list) => ({ list, error: undefined }),
    (error: unknown) => ({ list: "unreadable" as const, error: Api.messageOf(error) })
  )

/** At first the ports are shown before it is known what is on them, for which the server reads the machine's sockets. */
const showFirst = (list: ReadonlyArray<Allocation>): ReadonlyArray<Allocation> => {
  allocations.value ??= list
  return list
}

const readAll = async (): Promise<void> => {
  try {
    const [list, info, found, engine] = await Promise.all([
      Api.allocations().then(showFirst),
      Api.server(),
      readListeners(),
      Api.containers().catch(() => undefined)
    ])
    batch(() => {
      allocations.value = list
      server.value = info
      listening.value = found.list
      containers.value = engine
      listenersError.value = found.error
      failure.value = undefined
      readAt.value = new Date()
    })
  } catch (error) {
    failure.value = Api.messageOf(error)
  }
}

/** Find out which folders are gone, and their branches; what was known stays where that is not known now. */
export const readFolders = async (): Promise<void> => {
  try {
    const [gone, copies] = await Promise.all([Api.stale(), Api.workingCopies()])
    stale.value = gone
    branches.value = new Map(
      copies.flatMap(({ branch, ...copy }) => (branch === undefined ? [] : [[keyOf(copy), branch]]))
    )
  } catch {}
}

/** Wait until the ports are known, or a failure, but not longer than that many ms. */
export const firstAllocations = (timeout: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, timeout)
    effect(() => {
      if (allocations.value !== undefined || failure.value !== undefined) resolve()
    })
  })

let running: Promise<void> | undefined
let next: Promise<void> | undefined

/** Read everything again, after what is being read now: the result is as of a moment after the call. */
export const refresh = (): Promise<void> => {
  if (running === undefined) {
    running = readAll().finally(() => {
      running = undefined
    })
    return running
  }
  next ??= running.then(() => {
    next = undefined
    return refresh()
  })
  return next
}
