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

/** A listening socket. */
interface Socket extends ProcSocketOwners.SocketInode {
  readonly port: number
  readonly address: string
}

/** Decodes an address of the tables: hex words of 32 bits, each in the machine's byte order. */
export const addressOf = (hex: string): string => {
  const bytes = Buffer.from(hex, "hex")
  if (endianness() === "LE") bytes.swap32()
  if (bytes.length === 4) return bytes.join(".")
  const words = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16))
  const { address } = new SocketAddress({ address: words.join(":"), family: "ipv6" })
  // An IPv6 socket that is bound to an IPv4 address.
  return address.replace(/^::ffff:(?=\d+\.)/, "")
}

/** Length of a line in bytes: 150 for IPv4, about 180 for IPv6, never twice that. */
const lineSize = 180

/** The smallest size of a page, in bytes: the kernel fills one before a read of a table returns. */
const page = 4096

/**
 * The listening sockets of a table, which come first; the rest is not read. Past the last line the kernel walks through
 * all its sockets, about 2 ms: so a read asks for few more lines than `expected` sockets have, and none follows a visible
 * end.
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
      // There was room for one more line: this was the last.
      if (bytesRead < Math.min(wanted, page - 2 * lineSize)) return sockets
      isHeading = false
    }
  } finally {
    await file.close()
  }
}

/** Reads the listening sockets of a table; each read expects as many as the last one found. */
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

/** Whether this machine has the tables and permits reading them; true also if that fails for the moment. */
export const isAvailable: Effect.Effect<boolean> = Effect.promise(() =>
  listening(tables.ipv4, 0).then(
    () => true,
    (error: unknown) => !["ENOENT", "EACCES", "EPERM"].includes(SystemError.errorCode(error) ?? "")
  )
)

/** Listeners from Linux's tables, and their owners as far as `/proc` permits. */
export const make: Effect.Effect<PortScanner> = Effect.map(ProcSocketOwners.make, (owners) => {
  const snapshot = (sockets: ReadonlyArray<Socket>): ListenerSnapshot => {
    const byPort = new Map<number, Array<Socket>>()
    for (const socket of sockets) {
      const others = byPort.get(socket.port)
      if (others === undefined) byPort.set(socket.port, [socket])
      else others.push(socket)
    }
    const at = (port: number) => byPort.get(port) ?? []
    const ownersOf = owners.ofSnapshot()
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
