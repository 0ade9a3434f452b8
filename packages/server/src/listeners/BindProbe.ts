import { createServer } from "node:net"
import type { PortRange } from "@port-server/domain/Port"
import * as Effect from "effect/Effect"
import type { PortScanner } from "./PortScanner.ts"

/** Where a program of this machine can be reached: the wildcard and the loopback address of each family. */
const hosts = ["0.0.0.0", "127.0.0.1", "::", "::1"]

/** How many ports are tried at a time when a whole range is. */
const concurrency = 16

/** Whether somebody else has the port at the address. What cannot be tried for another reason counts as free. */
const isTaken = (host: string, port: number) =>
  Effect.async<boolean>((resume) => {
    const server = createServer((connection) => connection.destroy())
    const close = Effect.async<void>((done) => void server.close(() => done(Effect.void)))
    // EADDRNOTAVAIL and EAFNOSUPPORT: the machine does not have the family; EACCES: the port is for the superuser.
    server.on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code === "EADDRINUSE")))
    server.listen({ host, port, exclusive: true, ipv6Only: host.includes(":") }, () => resume(Effect.as(close, false)))
    return close
  })

/** Whether something has the port on any of the addresses, tried one after another. */
const isListenedOn = (port: number): Effect.Effect<boolean> =>
  // What has begun is brought to its end: a probe that was left alone would itself be a listener.
  Effect.uninterruptible(
    Effect.reduce(hosts, false, (taken, host) => (taken ? Effect.succeed(true) : isTaken(host, port)))
  )

/**
 * What listens, found by trying to listen. It tells neither who, nor on which address. Two probes of one port would
 * see each other, so each port is tried once a picture, by one at a time.
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
        addresses: () => [],
        owners: () => Effect.succeed(new Map()),
        ports: (likely) => {
          const ports = new Set(likely)
          for (let port: number = first; port <= last; port++) ports.add(port)
          return one.withPermits(1)(
            Effect.filter(
              [...ports].sort((one, other) => one - other),
              listens,
              { concurrency }
            )
          )
        }
      }
    })
  )
