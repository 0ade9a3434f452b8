import { createSocket } from "node:dgram"
import { createServer } from "node:net"
import { ListenersUnavailable } from "@port-server/domain/Errors"
import type { PortSocket } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import * as SystemError from "../runtime/SystemError.ts"

/** Whether a port can be bound: the protocol of a socket that hinders it; `forbidden` where this user may not bind it. */
export type Availability = "free" | PortSocket["protocol"] | "forbidden"

/** Binds the port at the wildcard address and closes the socket again; calls back with the error, if there is one. */
type Bind = (port: number, isIpv6: boolean, onEnd: (error?: Error) => void) => void

const wildcard = (isIpv6: boolean) => (isIpv6 ? "::" : "0.0.0.0")

const bindTcp: Bind = (port, isIpv6, onEnd) => {
  const server = createServer((connection) => connection.destroy())
  server.on("error", onEnd)
  // Closing frees the port at once.
  server.listen({ host: wildcard(isIpv6), port, exclusive: true }, () => {
    server.close()
    onEnd()
  })
}

const bindUdp: Bind = (port, isIpv6, onEnd) => {
  const socket = createSocket(isIpv6 ? "udp6" : "udp4")
  const end = (error?: Error) => {
    socket.close()
    onEnd(error)
  }
  socket.on("error", end)
  socket.bind({ address: wildcard(isIpv6), port, exclusive: true }, () => end())
}

const isFamilyMissing = (code: string | undefined) => code === "EAFNOSUPPORT" || code === "EADDRNOTAVAIL"

/** An IPv6 socket of both families meets every other socket on the port, at whichever address; without IPv6, an IPv4 one. */
const tryBind = (
  bind: Bind,
  protocol: PortSocket["protocol"],
  port: number,
  isIpv6 = true
): Effect.Effect<Availability, ListenersUnavailable> =>
  Effect.async<Availability, ListenersUnavailable>((resume) => {
    bind(port, isIpv6, (error) => {
      const code = SystemError.errorCode(error)
      if (error === undefined) resume(Effect.succeed("free"))
      else if (isIpv6 && isFamilyMissing(code)) resume(tryBind(bind, protocol, port, false))
      else if (code === "EADDRINUSE") resume(Effect.succeed(protocol))
      else if (code === "EACCES") resume(Effect.succeed("forbidden"))
      else resume(ListenersUnavailable.of(SystemError.errorReason(error)))
    })
  })

/**
 * Tries ports on Linux, where a bind at the wildcard address is refused beside any other socket. Two attempts at one port
 * would hinder each other, so they take turns.
 */
export const make = Effect.map(
  Effect.makeSemaphore(1),
  (one) =>
    (port: number): Effect.Effect<Availability, ListenersUnavailable> =>
      tryBind(bindTcp, "tcp", port).pipe(
        Effect.flatMap((tcp) => (tcp === "free" ? tryBind(bindUdp, "udp", port) : Effect.succeed(tcp))),
        one.withPermits(1),
        // An interrupted attempt would keep its socket.
        Effect.uninterruptible
      )
)
