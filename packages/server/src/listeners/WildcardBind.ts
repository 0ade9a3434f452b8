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

/** Takes an address for what it is, at once: without this, Node asks its resolver, and the bind ends later. */
const asAddress = (
  address: string,
  _options: unknown,
  onFound: (error: null, address: string, family: number) => void
): void => onFound(null, address, address.includes(":") ? 6 : 4)

const bindUdp =
  (type: "udp6" | "udp4"): Bind =>
  (port, onEnd) => {
    const socket = createSocket({ type, lookup: asAddress })
    const end = (error?: Error) => {
      socket.close()
      onEnd(error)
    }
    socket.on("error", end)
    socket.bind({ address: type === "udp6" ? "::" : "0.0.0.0", port, exclusive: true }, () => end())
  }

const isFamilyMissing = (code: string | undefined) => code === "EAFNOSUPPORT" || code === "EADDRNOTAVAIL"

/** What an attempt found, or why it could not find out. */
type OnFound = (found: Availability | ListenersUnavailable) => void

/** One protocol of an attempt: the ways to bind it, each in place of the one before where that has no such family. */
interface Step {
  readonly protocol: PortSocket["protocol"]
  readonly binds: readonly [Bind, ...ReadonlyArray<Bind>]
}

const tryStep = ({ binds: [bind, other, ...others], protocol }: Step, port: number, onFound: OnFound): void => {
  let isDone = false
  const onEnd = (error?: unknown) => {
    // A socket may have an error behind its first.
    if (isDone) return
    isDone = true
    const code = SystemError.errorCode(error)
    if (error === undefined) onFound("free")
    else if (other !== undefined && isFamilyMissing(code))
      tryStep({ protocol, binds: [other, ...others] }, port, onFound)
    else if (code === "EADDRINUSE") onFound(protocol)
    else if (code === "EACCES") onFound("forbidden")
    else onFound(ListenersUnavailable.of(SystemError.errorReason(error)))
  }
  try {
    bind(port, onEnd)
  } catch (error) {
    // An attempt that never ends would keep all later ones waiting.
    onEnd(error)
  }
}

/** Each of the steps as long as the ones before found the port free. */
const trySteps = ([step, ...others]: ReadonlyArray<Step>, port: number, onFound: OnFound): void => {
  if (step === undefined) onFound("free")
  else tryStep(step, port, (found) => (found === "free" ? trySteps(others, port, onFound) : onFound(found)))
}

const usual: ReadonlyArray<Step> = [
  { protocol: "tcp", binds: [bindTcp] },
  { protocol: "udp", binds: [bindUdp("udp6"), bindUdp("udp4")] }
]
const udpOfIpv4: Step = { protocol: "udp", binds: [bindUdp("udp4")] }

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
 * would hinder each other, so they take turns. Inside an attempt there are callbacks alone: with effects and a semaphore,
 * 0.90 of the allocations per second.
 */
export const make = Effect.sync(() => {
  const steps = areApart() ? [...usual, udpOfIpv4] : usual
  const scans = new Set<Set<number>>()
  /** The attempts that wait for the one that goes on; `undefined` when none does. */
  let waiting: Array<() => void> | undefined
  /** The scans that wait for the end of the attempt that goes on. */
  let waitingScans: Array<() => void> = []

  const attempt = (port: number, onFound: OnFound): void =>
    trySteps(steps, port, (found) => {
      if (found === "free") for (const freed of scans) freed.add(port)
      const resumed = waitingScans
      waitingScans = []
      const next = waiting?.shift()
      if (next === undefined) waiting = undefined
      for (const resume of resumed) resume()
      onFound(found)
      next?.()
    })

  const whileScanning: WhileScanning = (scan) =>
    Effect.suspend(() => {
      const freed = new Set<number>()
      scans.add(freed)
      return scan.pipe(
        // The socket of the attempt that goes on may have been seen already.
        Effect.zipLeft(
          Effect.async<void>((resume) => {
            if (waiting === undefined) resume(Effect.void)
            else waitingScans.push(() => resume(Effect.void))
          })
        ),
        Effect.map((found) => [found, freed] as const),
        Effect.ensuring(Effect.sync(() => scans.delete(freed)))
      )
    })

  return {
    whileScanning,

    /** Whether the port can be bound. One that is interrupted tries to the end all the same, and closes its sockets. */
    tryBind: (port: number): Effect.Effect<Availability, ListenersUnavailable> =>
      Effect.async((resume) => {
        const begin = () =>
          attempt(port, (found) => resume(typeof found === "string" ? Effect.succeed(found) : Effect.fail(found)))
        if (waiting === undefined) {
          waiting = []
          begin()
        } else waiting.push(begin)
      })
  } as const
})
