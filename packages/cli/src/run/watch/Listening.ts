import { closeSync, openSync, readSync } from "node:fs"
import { attempt } from "../../platform/Process.ts"
import { processTree, socketsOf } from "./Processes.ts"

/** A port that a process listens on. */
export interface Listening {
  readonly pid: number
  readonly port: number
}

// Slot, local address:port, remote address:port, state, queues, timer, retransmissions, user, timeout, inode.
const row = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ ([0-9A-F]{2}) \S+ \S+ \S+ +\d+ +\d+ (\d+)/
const LISTEN = "0A"

/** The ports of the sockets that listen, by inode. They come first in the kernel's table, and the rest is not read. */
const readTable = (file: string, ports: Map<string, number>): void => {
  const descriptor = openSync(file, "r")
  try {
    const buffer = Buffer.alloc(4096)
    for (let rest = "", isHeading = true; ; isHeading = false) {
      const length = readSync(descriptor, buffer)
      const lines = (rest + buffer.toString("latin1", 0, length)).split("\n")
      rest = lines.pop() ?? ""
      for (const line of isHeading ? lines.slice(1) : lines) {
        const [, port = "", state, inode = ""] = row.exec(line) ?? []
        if (state !== LISTEN) return
        ports.set(inode, Number.parseInt(port, 16))
      }
      if (length === 0) return
    }
  } finally {
    closeSync(descriptor)
  }
}

const listeningPorts = (): ReadonlyMap<string, number> => {
  const ports = new Map<string, number>()
  for (const file of ["/proc/net/tcp", "/proc/net/tcp6"]) attempt(() => readTable(file, ports))
  return ports
}

/** What was read at one time. */
interface Reading {
  readonly pids: ReadonlyArray<number>
  readonly found: ReadonlyArray<Listening>
  /** Whether there are new sockets. */
  readonly hasNews: boolean
}

/** How many times a new socket is searched for, at each look, among those that listen. */
const searches = 5

/** Whether a socket is searched for at a look; after the first ones more and more rarely, for it may listen much later. */
const isDue = (looks: number): boolean => looks < searches || Number.isInteger(Math.log2(looks))

/**
 * What a process and those that it starts listen on, read again and again. The kernel's tables, which cost most, are
 * read only for sockets that are searched for.
 */
export const listeningIn = (root: number) => {
  const pidsOf = processTree(root)
  let sockets = new Map<string, { readonly port: number | undefined; readonly looks: number }>()
  return (): Reading => {
    const pids = pidsOf()
    const open = pids.flatMap((pid) => socketsOf(pid).map((inode) => ({ pid, inode })))
    const looks = open.flatMap(({ inode }) => {
      const { looks = 0, port } = sockets.get(inode) ?? {}
      return port === undefined ? [looks] : []
    })
    const ports = looks.some(isDue) ? listeningPorts() : new Map<string, number>()
    sockets = new Map(
      open.map(({ inode }) => {
        const { looks = 0, port } = sockets.get(inode) ?? {}
        return [inode, { port: port ?? ports.get(inode), looks: looks + 1 }]
      })
    )
    const found = open.flatMap(({ inode, pid }) => {
      const port = sockets.get(inode)?.port
      return port === undefined ? [] : [{ pid, port }]
    })
    return { pids, found, hasNews: looks.some((count) => count < searches) }
  }
}
