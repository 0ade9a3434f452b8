import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs"
import { basename } from "node:path"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { codeOf } from "../errors/FileError.ts"
import { ServerNotStopped } from "../errors/ServerErrors.ts"

/** How long a server may take to stop; it lets requests in flight finish for 5 s at most. */
const patience = "15 seconds"

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

/** The error about a server whose process is not {@link isIdentified identified}. */
export const notALocalServer = (pid: number, address: ServerAddress): ServerNotStopped =>
  new ServerNotStopped({
    message: `the port-server at ${address} says that it is process ${pid}, which is no port-server of this machine that listens there (a forwarded port, or a container?): stop it where it runs`
  })

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) !== "EPERM"
  }
  // A zombie: it has ended, and its parent has not waited for it yet.
  return /^\d+ \(.*\) Z /s.test(tryOrUndefined(() => readFileSync(`/proc/${pid}/stat`, "utf8")) ?? "")
}

/** Stop an {@link isIdentified identified} process and wait until it has ended. */
export const terminate = Effect.fnUntraced(function* (pid: number) {
  yield* Effect.try({
    try: () => process.kill(pid, "SIGTERM"),
    catch: codeOf
  }).pipe(
    Effect.catchAll((code) =>
      code === "EPERM"
        ? new ServerNotStopped({ message: `port-server (pid ${pid}) belongs to another user: only they can stop it` })
        : Effect.void
    )
  )
  yield* Effect.sync(() => isGone(pid)).pipe(
    Effect.repeat({ until: (gone) => gone, schedule: Schedule.spaced("20 millis") }),
    Effect.timeoutFail({
      duration: patience,
      onTimeout: () =>
        new ServerNotStopped({ message: `port-server (pid ${pid}) was asked to stop and still runs after ${patience}` })
    })
  )
})
