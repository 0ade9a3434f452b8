import { createSocket } from "node:dgram"
import { readFileSync } from "node:fs"
import { createServer } from "node:net"
import { ListenersUnavailable } from "@port-server/domain/Errors"
import type { PortSocket } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import * as SystemError from "../runtime/SystemError.ts"

/** Whether a port can be bound: the protocol of a socket that hinders it; `forbidden` where this user may not bind it. */
export type Availability = "free" | PortSocket["protocol"] | "forbidden"

/** Binds the port at the wildcard address and closes the socket again; calls back with the error, if there is one. */
type Bind = (port: number, onEnd: (error?: Error) => void) => void

// An IPv6 socket of both families meets every other socket on the port, at whichever address. Without a host, Node takes
// that one where there is IPv6, else the IPv4 one, and looks up nothing.
const bindTcp: Bind = (port, onEnd) => {
  const server = createServer((connection) => connection.destroy())
  server.on("error", onEnd)
  // Closing frees the port at once.
  server.listen({ port, exclusive: true }, () => {
    server.close()
    onEnd()
  })
}

const bindUdp =
  (type: "udp6" | "udp4"): Bind =>
  (port, onEnd) => {
    const socket = createSocket(type)
    const end = (error?: Error) => {
      socket.close()
      onEnd(error)
    }
    socket.on("error", end)
    socket.bind({ address: type === "udp6" ? "::" : "0.0.0.0", port, exclusive: true }, () => end())
  }

const isFamilyMissing = (code: string | undefined) => code === "EAFNOSUPPORT" || code === "EADDRNOTAVAIL"

const tryBind = (
  [bind, ...others]: readonly [Bind, ...ReadonlyArray<Bind>],
  protocol: PortSocket["protocol"],
  port: number
): Effect.Effect<Availability, ListenersUnavailable> =>
  Effect.async<Availability, ListenersUnavailable>((resume) => {
    const [other] = others
    bind(port, (error) => {
      const code = SystemError.errorCode(error)
      if (error === undefined) resume(Effect.succeed("free"))
      else if (other !== undefined && isFamilyMissing(code)) resume(tryBind([other], protocol, port))
      else if (code === "EADDRINUSE") resume(Effect.succeed(protocol))
      else if (code === "EACCES") resume(Effect.succeed("forbidden"))
      else resume(ListenersUnavailable.of(SystemError.errorReason(error)))
    })
  })

const tryTcp = (port: number) => tryBind([bindTcp], "tcp", port)
const tryUdp = (port: number) => tryBind([bindUdp("udp6"), bindUdp("udp4")], "udp", port)
const tryUdpOfIpv4 = (port: number) => tryBind([bindUdp("udp4")], "udp", port)

/** Whether an IPv6 socket of UDP is never one of both families: net.ipv6.bindv6only. For TCP, Node says each time that it is. */
const areApart = () => {
  try {
    return readFileSync("/proc/sys/net/ipv6/bindv6only", "utf8").trim() === "1"
  } catch {
    return false
  }
}

/** Runs a scan of the sockets; with what it found, the ports that a bind found free meanwhile. */
export type WhileScanning = <A, E>(scan: Effect.Effect<A, E>) => Effect.Effect<readonly [A, ReadonlySet<number>], E>

/**
 * Tries ports on Linux, where a bind at the wildcard address is refused beside any other socket. Two attempts at one port
 * would hinder each other, so they take turns.
 */
export const make = Effect.map(Effect.makeSemaphore(1), (one) => {
  const unlessHeld = (found: Availability, next: Effect.Effect<Availability, ListenersUnavailable>) =>
    found === "free" ? next : Effect.succeed(found)
  const isApart = areApart()
  const scans = new Set<Set<number>>()
  /** Called at the end of the attempt that goes on; `undefined` when none does. */
  let ending: Array<() => void> | undefined

  const attempt = (port: number): Effect.Effect<Availability, ListenersUnavailable> =>
    Effect.suspend(() => {
      ending = []
      return tryTcp(port)
    }).pipe(
      Effect.flatMap((found) => unlessHeld(found, tryUdp(port))),
      Effect.flatMap((found) => unlessHeld(found, isApart ? tryUdpOfIpv4(port) : Effect.succeed(found))),
      Effect.tap((found) => {
        if (found === "free") for (const freed of scans) freed.add(port)
      }),
      Effect.ensuring(
        Effect.sync(() => {
          for (const done of ending ?? []) done()
          ending = undefined
        })
      )
    )

  const whileScanning: WhileScanning = (scan) =>
    Effect.suspend(() => {
      const freed = new Set<number>()
      scans.add(freed)
      return scan.pipe(
        // The socket of the attempt that goes on may have been seen already.
        Effect.zipLeft(
          Effect.async<void>((resume) => {
            if (ending === undefined) resume(Effect.void)
            else ending.push(() => resume(Effect.void))
          })
        ),
        Effect.map((found) => [found, freed] as const),
        Effect.ensuring(Effect.sync(() => scans.delete(freed)))
      )
    })

  return {
    whileScanning,

    tryBind: (port: number): Effect.Effect<Availability, ListenersUnavailable> =>
      // An interrupted attempt would keep its socket.
      Effect.uninterruptible(one.withPermits(1)(attempt(port)))
  } as const
})
