import { createServer } from "node:net"
import { networkInterfaces } from "node:os"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Running, start, startServer } from "./Programs.ts"

/** Whether this machine has the IPv6 loopback address. */
export const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === "::1")
)

/** Loopback and wildcard of each family that this machine has. */
export const hosts = ["127.0.0.1", "0.0.0.0", ...(hasIpv6 ? ["::1", "::"] : [])]

/** Something that listens in the test's own process. */
export interface Listening {
  readonly port: number
  /** Listen no more, before the end of the scope. */
  readonly close: Effect.Effect<void>
}

/** Listen at an address, on the port or on any free one; `undefined` when somebody else does. */
const tryListen = (host: string, port: number): Effect.Effect<Listening | undefined, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Listening | undefined>((resume) => {
      const server = createServer()
      const close = Effect.async<void>((done) => void server.close(() => done(Effect.void)))
      server.on("error", () => resume(Effect.succeed(undefined)))
      server.listen({ host, port, ipv6Only: host === "::" }, () => {
        const address = server.address()
        resume(Effect.succeed({ port: typeof address === "object" && address !== null ? address.port : -1, close }))
      })
    }),
    (listening) => listening?.close ?? Effect.void
  )

/** Listen at an address, on the port or on any free one. */
export const listen = (host: string, port = 0): Effect.Effect<Listening, never, Scope.Scope> =>
  Effect.flatMap(tryListen(host, port), (listening) =>
    listening === undefined ? Effect.dieMessage(`cannot listen on ${host} port ${port}`) : Effect.succeed(listening)
  )

// Each of vitest's four workers has ports of its own, so that no test meets another one's for a moment.
const own = { count: 2500, first: 10_000 + 2500 * (Number(process.env["VITEST_POOL_ID"] ?? 1) % 4) }
let next = Math.floor(Math.random() * own.count)

/**
 * The first of so many ports in a row that nobody listens on. No other test gets them, nor do later ones for a long
 * time; they are below those that the kernel hands out by itself and those that tests name.
 */
export const freePorts = (count: number): Effect.Effect<number> =>
  Effect.gen(function* () {
    for (;;) {
      if (next + count > own.count) next = 0
      const first = own.first + next
      next += count
      const ports = Array.from({ length: count }, (_, index) => first + index)
      const found = yield* Effect.forEach(ports, (port) =>
        Effect.forEach(hosts, (host) => Effect.scoped(tryListen(host, port)))
      )
      if (found.flat().every((listening) => listening !== undefined)) return first
    }
  })

/** A port-server that hands out so many ports which nobody listens on, from `first` on. */
export const startServerOnFreePorts = (count: number) =>
  Effect.gen(function* () {
    const first = yield* freePorts(count)
    const server = yield* startServer({ args: ["--range", `${first}-${first + count - 1}`] })
    return { ...server, first }
  })

const script = `
  const { writeFileSync } = require("node:fs")
  const server = require("node:net").createServer().listen(Number(process.argv[1]), "127.0.0.1", () => {
    if (process.argv[2]) writeFileSync("/proc/self/comm", process.argv[2])
    console.log("listens on " + server.address().port)
  })`

/** A program that listens on 127.0.0.1, in a folder and under a name of its own. */
export const listeningProgram = (options: {
  readonly cwd: string
  /** Path of the program, a link to Node; by default Node itself. */
  readonly file?: string
  readonly port?: number
  /** What it calls its first thread. */
  readonly thread?: string
}): Effect.Effect<Running & { readonly port: number }, never, Scope.Scope> =>
  Effect.gen(function* () {
    const args = ["-e", script, "--", String(options.port ?? 0), options.thread ?? ""]
    const running = yield* start(options.file ?? process.execPath, args, { cwd: options.cwd })
    const [, digits] = yield* running.printed(/listens on (\d+)/)
    return { ...running, port: Number(digits) }
  })
