import { open } from "node:fs/promises"
import { SocketAddress } from "node:net"
import { endianness } from "node:os"
import { ListenersUnavailable } from "@port-server/domain/Errors"
import * as Effect from "effect/Effect"
import * as SystemError from "../runtime/SystemError.ts"
import type { ListenerSnapshot, PortScanner } from "./PortScanner.ts"
import * as ProcSocketOwners from "./ProcSocketOwners.ts"

/** The kernel's tables of TCP sockets. A machine without IPv6 has only the first. */
const tables = { ipv4: "/proc/net/tcp", ipv6: "/proc/net/tcp6" }

// Slot, local address:port, remote address:port, state, queues, timer, retransmissions, user, timeout, inode.
const row = /^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) \S+ \S+ \S+ +(\d+) +\d+ (\d+)/

/** The state of a socket that listens. */
const LISTEN = "0A"

/** A socket that listens. */
interface Socket extends ProcSocketOwners.SocketInode {
  readonly port: number
  readonly address: string
}

/** An address of the tables: words of 32 bits in hex, each in the byte order of the machine. */
export const addressOf = (hex: string): string => {
  const bytes = Buffer.from(hex, "hex")
  if (endianness() === "LE") bytes.swap32()
  if (bytes.length === 4) return bytes.join(".")
  const words = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16))
  const { address } = new SocketAddress({ address: words.join(":"), family: "ipv6" })
  // An IPv6 socket that was bound to an IPv4 address serves that one.
  return address.replace(/^::ffff:(?=\d+\.)/, "")
}

/** What a line of a table has, in bytes: 150 for IPv4, some 180 for IPv6, never twice that. */
const lineSize = 180

/** What the kernel fills before it answers a read of a table, in bytes: a page, the smallest that there is. */
const page = 4096

/**
 * The sockets that listen, of a table: they come first, and what comes after them is not read. Looking for the next line
 * takes the kernel a walk through all its sockets, some 2 ms, unless it finds one soon: so it is asked for little more
 * lines than those that `expected` sockets have, and not once more for an end that can be seen.
 */
const listening = async (table: string, expected: number): Promise<ReadonlyArray<Socket>> => {
  const file = await open(table)
  try {
    const buffer = Buffer.alloc(64 * 1024)
    const sockets: Array<Socket> = []
    let wanted = Math.min((expected + 2) * lineSize, buffer.length)
    for (let rest = "", isHeading = true; ; wanted = buffer.length) {
      const { bytesRead } = await file.read(buffer, 0, wanted, null)
      const lines = (rest + buffer.toString("latin1", 0, bytesRead)).split("\n")
      rest = lines.pop() ?? ""
      for (const line of isHeading ? lines.slice(1) : lines) {
        const [, hex = "", port = "", state, uid, inode = ""] = row.exec(line) ?? []
        if (state === undefined) throw new Error(`${table} has a line of an unknown form`)
        if (state !== LISTEN) return sockets
        sockets.push({ port: Number.parseInt(port, 16), address: addressOf(hex), uid: Number(uid), inode })
      }
      // With room left for one more line, it has given all that there are.
      if (bytesRead < Math.min(wanted, page - 2 * lineSize)) return sockets
      isHeading = false
    }
  } finally {
    await file.close()
  }
}

/** Reads the sockets that listen, of a table, again and again. */
const reader = (table: string): Effect.Effect<ReadonlyArray<Socket>, ListenersUnavailable> => {
  let expected = 0
  return Effect.tryPromise({
    try: async () => {
      const sockets = await listening(table, expected)
      expected = sockets.length
      return sockets
    },
    catch: (error) => error
  }).pipe(
    Effect.catchAll((error) =>
      table === tables.ipv6 && SystemError.errorCode(error) === "ENOENT"
        ? Effect.succeed([])
        : ListenersUnavailable.of(SystemError.errorReason(error))
    )
  )
}

/** Whether this machine has the tables and lets its users read them; also when that is impossible for the moment. */
export const isAvailable: Effect.Effect<boolean> = Effect.promise(() =>
  listening(tables.ipv4, 0).then(
    () => true,
    (error: unknown) => !["ENOENT", "EACCES", "EPERM"].includes(SystemError.errorCode(error) ?? "")
  )
)

/** What listens, from Linux's own tables; its owners as far as `/proc` may be read. */
export const make: Effect.Effect<PortScanner> = Effect.map(ProcSocketOwners.make, (owners) => {
  const snapshot = (sockets: ReadonlyArray<Socket>): ListenerSnapshot => {
    const byPort = new Map<number, Array<Socket>>()
    for (const socket of sockets) {
      const others = byPort.get(socket.port)
      if (others === undefined) byPort.set(socket.port, [socket])
      else others.push(socket)
    }
    const at = (port: number) => byPort.get(port) ?? []
    const ownersOf = owners.atOneMoment()
    return {
      listens: (port) => Effect.succeed(byPort.has(port)),
      addresses: (port) => [...new Set(at(port).map(({ address }) => address))],
      owners: (ports) => ownersOf(new Map(ports.map((port) => [port, at(port)]))),
      ports: () => Effect.succeed([...byPort.keys()].sort((one, other) => one - other))
    }
  }

  return Effect.map(
    Effect.forEach([reader(tables.ipv4), reader(tables.ipv6)], (read) => read, { concurrency: "unbounded" }),
    (found) => snapshot(found.flat())
  )
})
