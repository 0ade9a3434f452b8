import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs"
import { basename } from "node:path"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { codeOf } from "../errors/FileError.ts"
import { ServerNotStopped } from "../errors/ServerErrors.ts"
import * as Process from "../platform/Process.ts"

/** How long a server may take to stop by itself: it has 5 s, unless its main thread hangs in a file system. */
const ownStop = "6 seconds"

/** How long its process may take to end then. */
const patience = "9 seconds"

const tryOrUndefined = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

const isPortServer = ([command = "", ...args]: ReadonlyArray<string>): boolean => {
  if (basename(command) === "port-server") return true
  const script = args.find((arg) => !arg.startsWith("-")) ?? ""
  return /^node/.test(basename(command)) && /^port-server(\.c?js)?$/.test(basename(script))
}

/** The inodes of the sockets that listen on a TCP port of this machine. */
const listening = (port: number): ReadonlySet<string> => {
  const digits = port.toString(16).toUpperCase().padStart(4, "0")
  // Slot, local address:port, remote address, state (0A is LISTEN), queues, timer, retransmits, uid, timeout, inode.
  const row = new RegExp(`^ *\\d+: [0-9A-F]+:${digits} [0-9A-F:]+ 0A (?:\\S+ +){5}(\\d+)`, "gm")
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(
    (file) => tryOrUndefined(() => readFileSync(file, "utf8")) ?? ""
  )
  return new Set(tables.flatMap((table) => [...table.matchAll(row)].map(([, inode = ""]) => `socket:[${inode}]`)))
}

const byProc = (pid: number, port: number): boolean => {
  const args = tryOrUndefined(() => readFileSync(`/proc/${pid}/cmdline`, "utf8"))?.split("\0") ?? []
  if (!isPortServer(args)) return false
  const fds = tryOrUndefined(() => readdirSync(`/proc/${pid}/fd`))
  // Another user's: it will not be ours to signal either.
  if (fds === undefined) return true
  const sockets = listening(port)
  return fds.some((fd) => sockets.has(tryOrUndefined(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? ""))
}

const output = (command: string, ...args: ReadonlyArray<string>): string | undefined =>
  tryOrUndefined(() => execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }))

/** {@link isIdentified} by the programs that every Unix has; `lsof` prints nothing for another user's process. */
export const byPsAndLsof = (pid: number, port: number): boolean => {
  const args = (output("ps", "-ww", "-o", "args=", "-p", String(pid)) ?? "").trim().split(" ")
  if (!args.some((_, index) => isPortServer([args[0] ?? "", ...args.slice(index)]))) return false
  const found = output("lsof", "-nP", "-a", "-p", String(pid), `-iTCP:${port}`, "-sTCP:LISTEN", "-t")
  return found?.trim() === String(pid)
}

/**
 * Whether it is certain that the process is a port-server of this machine and listens on the port itself: behind a
 * forwarded port, the number of a process is one of another machine.
 */
export const isIdentified = (pid: number, { port }: ServerAddress): boolean =>
  pid > 1 && (existsSync("/proc/self/cmdline") ? byProc : byPsAndLsof)(pid, port)

/** The processes of this machine, as far as this user may inspect them. */
const inspectable = (): ReadonlyArray<number> =>
  (tryOrUndefined(() => readdirSync("/proc")) ?? []).flatMap((name) => {
    const isOwn = /^\d+$/.test(name) && tryOrUndefined(() => readdirSync(`/proc/${name}/fd`)) !== undefined
    return isOwn ? [Number(name)] : []
  })

/** The port-server of this machine that listens at the address, whether it responds or not. */
export const listeningAt = (address: ServerAddress): number | undefined => {
  const pids = existsSync("/proc/self/cmdline")
    ? inspectable()
    : (output("lsof", "-nP", `-iTCP:${address.port}`, "-sTCP:LISTEN", "-t") ?? "").split("\n").map(Number)
  return pids.find((pid) => isIdentified(pid, address))
}

/** The error about a server whose process is not {@link isIdentified identified}. */
export const notALocalServer = (pid: number, address: ServerAddress): ServerNotStopped =>
  new ServerNotStopped({
    message: `the port-server at ${address} says that it is process ${pid}, which is no port-server of this machine that listens there (a forwarded port, or a container?): stop it where it runs`
  })

const signal = (pid: number, name: NodeJS.Signals | 0) =>
  Effect.try({ try: () => process.kill(pid, name), catch: codeOf }).pipe(
    Effect.catchAll((code) =>
      code === "EPERM"
        ? new ServerNotStopped({ message: `port-server (pid ${pid}) belongs to another user: only they can stop it` })
        : Effect.void
    )
  )

/** Fails for a process of another user. */
export const assertMayStop = (pid: number): Effect.Effect<void, ServerNotStopped> => signal(pid, 0)

/**
 * Stop an {@link isIdentified identified} process and wait until it has ended. One that hangs is killed: everything that
 * it has acknowledged is durable.
 */
export const terminate = Effect.fnUntraced(function* (pid: number) {
  const found = Process.find(pid)
  if (found === undefined) return
  const ended = Effect.sync(() => !Process.isAlive(found)).pipe(
    Effect.repeat({ until: (gone) => gone, schedule: Schedule.spaced("20 millis") })
  )
  yield* signal(pid, "SIGTERM")
  if (Option.isSome(yield* Effect.timeoutOption(ended, ownStop))) return
  yield* signal(pid, "SIGKILL")
  yield* Effect.timeoutFail(ended, {
    duration: patience,
    onTimeout: () =>
      new ServerNotStopped({
        message: `port-server (pid ${pid}) was killed and does not end: the system waits for a file system that hangs`
      })
  })
})
