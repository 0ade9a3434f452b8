import { connect, createServer } from "node:net"
import { ListenersUnavailable } from "@port-server/domain/Errors"
import type { PortRange } from "@port-server/domain/PortRange"
import * as Effect from "effect/Effect"
import * as SystemError from "../runtime/SystemError.ts"
import type { PortScanner, PortSockets } from "./PortScanner.ts"

/** Where a program of this machine can be reached: the wildcard and the loopback address of each family. */
const hosts = ["0.0.0.0", "127.0.0.1", "::", "::1"]

/** How many ports are tried at a time when a whole range is. */
const concurrency = 16

const cannotTry = (port: number, error: unknown) =>
  ListenersUnavailable.of(`port ${port} cannot be tried: ${SystemError.errorReason(error)}`)

/** Whether the port accepts a connection: the probe for a port that only the superuser may bind. */
const accepts = (host: string, port: number) =>
  Effect.async<boolean, ListenersUnavailable>((resume) => {
    const socket = connect({ host, port })
    socket.on("connect", () => resume(Effect.succeed(true)))
    socket.on("error", (error) =>
      resume(SystemError.errorCode(error) === "ECONNREFUSED" ? Effect.succeed(false) : cannotTry(port, error))
    )
    return Effect.sync(() => socket.destroy())
  })

/** Whether another socket has the port at the address. */
const isTaken = (host: string, port: number) =>
  Effect.async<boolean, ListenersUnavailable>((resume) => {
    const server = createServer((connection) => connection.destroy())
    const close = Effect.async<void>((done) => void server.close(() => done(Effect.void)))
    server.on("error", (error) => {
      switch (SystemError.errorCode(error)) {
        case "EADDRINUSE":
          return resume(Effect.succeed(true))
        // The machine does not have the address, or not its family.
        case "EADDRNOTAVAIL":
        case "EAFNOSUPPORT":
          return resume(Effect.succeed(false))
        case "EACCES":
          return resume(accepts(host, port))
        default:
          return resume(cannotTry(port, error))
      }
    })
    server.listen({ host, port, exclusive: true, ipv6Only: host.includes(":") }, () => resume(Effect.as(close, false)))
    return close
  })

/** Whether something has the port on any of the addresses, tried one after another. */
const isListenedOn = (port: number): Effect.Effect<boolean, ListenersUnavailable> =>
  // An interrupted probe would itself stay a listener.
  Effect.uninterruptible(
    Effect.reduce(hosts, false, (taken, host) => (taken ? Effect.succeed(true) : isTaken(host, port)))
  )

/**
 * Finds listeners by binding: neither who they are nor their addresses. Two probes of one port would find each other, so
 * each port is tried once per snapshot, and snapshots take turns.
 */
export const make = ({ first, last }: PortRange): Effect.Effect<PortScanner> =>
  Effect.map(Effect.makeSemaphore(1), (one) =>
    Effect.sync(() => {
      const tried = new Map<number, boolean>()
      const listens = (port: number) =>
        Effect.suspend(() => {
          const known = tried.get(port)
          return known === undefined
            ? Effect.tap(isListenedOn(port), (taken) => Effect.sync(() => tried.set(port, taken)))
            : Effect.succeed(known)
        })
      return {
        listens: (port) => one.withPermits(1)(listens(port)),
        sockets: (ports) =>
          Effect.map(one.withPermits(1)(Effect.filter(ports, listens, { concurrency })), (taken) => {
            // Whether it listens cannot be found out.
            const found: PortSockets = { listeners: [{ protocol: "tcp", state: "bound" }] }
            return new Map(taken.map((port) => [port, found]))
          }),
        ports: (candidates) =>
          Effect.flatMap(candidates, (others) => {
            const ports = new Set(others)
            for (let port: number = first; port <= last; port++) ports.add(port)
            const ascending = [...ports].sort((one, other) => one - other)
            return one.withPermits(1)(Effect.filter(ascending, listens, { concurrency }))
          })
      }
    })
  )
