import { closeSync, openSync, readFile } from "node:fs"
import { SocketAddress } from "node:net"
import { endianness } from "node:os"
import { ListenersUnavailable } from "@port-server/domain/Errors"
import type { PortSocket } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as SystemError from "../runtime/SystemError.ts"
import type { ListenerSnapshot, PortScanner } from "./PortScanner.ts"
import * as ProcSocketOwners from "./ProcSocketOwners.ts"
import type { WhileScanning } from "./WildcardBind.ts"

type Protocol = PortSocket["protocol"]

/** The kernel's tables of sockets. A machine without IPv6 has not all of them. */
const tables: ReadonlyArray<{ readonly path: string; readonly protocol: Protocol; readonly isOptional: boolean }> = [
  { path: "/proc/net/tcp", protocol: "tcp", isOptional: false },
  { path: "/proc/net/tcp6", protocol: "tcp", isOptional: true },
  { path: "/proc/net/udp", protocol: "udp", isOptional: false },
  { path: "/proc/net/udp6", protocol: "udp", isOptional: true }
]

// Slot, local address:port, remote address:port, state, queues, timer, retransmissions, user, timeout, inode.
const row = /^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) \S+ \S+ \S+ +(\d+) +\d+ (\d+)/

/** A socket of the tables. */
interface Socket extends ProcSocketOwners.TableSocket {
  readonly port: number
}

/** The state of a socket; `undefined` for TIME_WAIT, which nobody has open and which hinders no bind. */
const stateOf = (protocol: Protocol, code: string): PortSocket["state"] | undefined => {
  if (protocol === "udp") return code === "07" ? "bound" : "connected"
  if (code === "06") return undefined
  return code === "0A" ? "listening" : code === "07" ? "bound" : "connected"
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

/** A table that is open. */
interface OpenTable {
  readonly descriptor: number
  readonly path: string
  readonly protocol: Protocol
}

const parse = (table: string, path: string, protocol: Protocol): ReadonlyArray<Socket> =>
  table
    .split("\n")
    .slice(1, -1)
    .flatMap((line) => {
      const [, hex = "", digits = "", code, uid, inode = ""] = row.exec(line) ?? []
      if (code === undefined) throw new Error(`${path} has a line of an unknown form`)
      const state = stateOf(protocol, code)
      const port = Number.parseInt(digits, 16)
      // Nobody has a socket without an inode open any more.
      if (state === undefined || port === 0 || (state === "connected" && inode === "0")) return []
      return [{ port, protocol, state, address: addressOf(hex), uid: Number(uid), inode }]
    })

/** Opens a table; `undefined` where this machine has not that one. */
const open = ({ isOptional, path, protocol }: (typeof tables)[number]) =>
  Effect.acquireRelease(Effect.try({ try: () => openSync(path, "r"), catch: (error) => error }), (descriptor) =>
    Effect.sync(() => closeSync(descriptor))
  ).pipe(
    Effect.map((descriptor) => ({ descriptor, path, protocol })),
    Effect.catchIf(
      (error) => isOptional && SystemError.errorCode(error) === "ENOENT",
      () => Effect.succeed(undefined)
    )
  )

const read = ({ descriptor, path, protocol }: OpenTable) =>
  Effect.flatMap(
    Effect.async<string, unknown>((resume) =>
      readFile(descriptor, "latin1", (error, table) =>
        resume(error === null ? Effect.succeed(table) : Effect.fail(error))
      )
    ),
    (table) => Effect.try({ try: () => parse(table, path, protocol), catch: (error) => error })
  )

/**
 * The sockets of all tables. All are opened before any is read, so that this fails each time where there are descriptors
 * for some of them only, however its threads take turns. To read one after the other takes 1.7 times as long.
 */
const readTables = Effect.forEach(tables, open).pipe(
  Effect.flatMap((opened) =>
    Effect.forEach(opened.filter(Predicate.isNotUndefined), read, { concurrency: "unbounded" })
  ),
  // A table must not be closed while a thread reads it.
  Effect.uninterruptible,
  Effect.scoped,
  Effect.catchAll((error) => ListenersUnavailable.of(SystemError.errorReason(error)))
)

/** Whether this machine has the tables and permits reading them; true also if that fails for the moment. */
export const isAvailable: Effect.Effect<boolean> = Effect.sync(() => {
  try {
    closeSync(openSync("/proc/net/tcp", "r"))
    return true
  } catch (error) {
    return !["ENOENT", "EACCES", "EPERM"].includes(SystemError.errorCode(error) ?? "")
  }
})

/** The sockets of each port; the ends of connections only where nothing listens or is bound. */
export const groupByPort = (sockets: ReadonlyArray<Socket>): ReadonlyMap<number, ReadonlyArray<Socket>> => {
  const byPort = new Map<number, Array<Socket>>()
  const seen = new Set<string>()
  const add = (socket: Socket) => {
    // The kernel gives a row twice where sockets come and go while a table is read.
    if (socket.inode !== "0" && seen.has(socket.inode)) return
    seen.add(socket.inode)
    const others = byPort.get(socket.port)
    if (others === undefined) byPort.set(socket.port, [socket])
    else others.push(socket)
  }
  for (const socket of sockets) if (socket.state !== "connected") add(socket)
  const held = new Set(byPort.keys())
  for (const socket of sockets) if (socket.state === "connected" && !held.has(socket.port)) add(socket)
  return byPort
}

const ownUid = process.getuid?.()

/** Whether it was the socket of a bind by which this process found out that the port is free. */
const isOwnBind = ({ address, port, state, uid }: Socket, freed: ReadonlySet<number>): boolean =>
  freed.has(port) && state !== "connected" && uid === ownUid && (address === "::" || address === "0.0.0.0")

/** Sockets from Linux's tables, and their owners as far as `/proc` permits. */
export const make = (whileScanning: WhileScanning): Effect.Effect<PortScanner> =>
  Effect.map(ProcSocketOwners.make, (owners) => {
    const snapshot = (sockets: ReadonlyArray<Socket>): ListenerSnapshot => {
      const byPort = groupByPort(sockets)
      const ownersOf = owners.ofSnapshot()
      return {
        listens: (port) => Effect.succeed(byPort.get(port)?.some(({ state }) => state !== "connected") ?? false),
        sockets: (ports) =>
          ownersOf(
            new Map(
              ports.flatMap((port) => {
                const found = byPort.get(port)
                return found === undefined ? [] : [[port, found] as const]
              })
            )
          ),
        ports: () => Effect.succeed([...byPort.keys()].sort((one, other) => one - other))
      }
    }

    return Effect.map(whileScanning(readTables), ([found, freed]) =>
      snapshot(found.flat().filter((socket) => !isOwnBind(socket, freed)))
    )
  })
