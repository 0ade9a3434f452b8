import { readdirSync, readlinkSync } from "node:fs"
import { readFile, readlink } from "node:fs/promises"
import { basename } from "node:path"
import type { Listener } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import * as EventLoop from "../runtime/EventLoop.ts"
import * as SystemError from "../runtime/SystemError.ts"
import { type ListenerInfo, ownerError } from "./PortScanner.ts"

/** A socket of the kernel's tables. */
export interface SocketInode {
  /** The number that the link of its file descriptor shows. */
  readonly inode: string
  /** The user who opened it. */
  readonly uid: number
}

/**
 * How long the search reads file descriptors before it yields, in ms. One costs microseconds; through the thread pool it
 * would cost ten times as much.
 */
const sliceLength = 1

/** Most characters of a program's name that the kernel keeps. */
const commLength = 15

/** Called with an error that is not due to the process that is read, such as too many open files. */
type OnFailure = (error: unknown) => void

/** The process has ended, or this user may not inspect it: expected of any process. */
const isGoneOrForbidden = (error: unknown) =>
  ["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(SystemError.errorCode(error) ?? "")

const isForbidden = (error: unknown) => ["EACCES", "EPERM"].includes(SystemError.errorCode(error) ?? "")

/** The result of `read`, or undefined if it failed. Unexpected errors go to `onFailure`. */
const readable = <A>(read: () => A, onFailure: OnFailure): A | undefined => {
  try {
    return read()
  } catch (error) {
    if (!isGoneOrForbidden(error)) onFailure(error)
    return undefined
  }
}

const socket = /^socket:\[(\d+)\]$/

/** The open sockets of a process with the link to each; yields after every descriptor. */
function* socketsOf(pid: string, onFailure: OnFailure): Generator<readonly [inode: string, link: string] | undefined> {
  yield undefined
  for (const descriptor of readable(() => readdirSync(`/proc/${pid}/fd`), onFailure) ?? []) {
    const link = `/proc/${pid}/fd/${descriptor}`
    try {
      const [, inode] = socket.exec(readlinkSync(link)) ?? []
      yield inode === undefined ? undefined : [inode, link]
    } catch (error) {
      // Permission was denied: skip the rest of this process.
      if (isForbidden(error)) return
      if (!isGoneOrForbidden(error)) onFailure(error)
    }
  }
}

const pidOf = (link: string): number => Number(link.split("/")[2])

/** {@link readable} without blocking. */
const text = (read: () => Promise<string>, onFailure: OnFailure): Effect.Effect<string | undefined> =>
  Effect.promise(() =>
    read().catch((error: unknown) => {
      if (!isGoneOrForbidden(error)) onFailure(error)
      return undefined
    })
  )

/** The name of a process's program. */
const commandOf = Effect.fnUntraced(function* (pid: number, onFailure: OnFailure) {
  const comm = (yield* text(() => readFile(`/proc/${pid}/comm`, "utf8"), onFailure))?.replace(/\n$/, "")
  if (comm === undefined || (comm !== "MainThread" && Buffer.byteLength(comm) < commLength)) return comm || undefined
  const [argument = ""] = ((yield* text(() => readFile(`/proc/${pid}/cmdline`, "utf8"), onFailure)) ?? "").split("\0")
  const name = basename(argument)
  // Node names its first thread MainThread; a name that does not start the argument was chosen on purpose.
  return name !== "" && (comm === "MainThread" || name.startsWith(comm)) ? name : comm
})

/** The name of a user in /etc/passwd, or the number. */
const userOf = Effect.fnUntraced(function* (uid: number, onFailure: OnFailure) {
  const users = (yield* text(() => readFile("/etc/passwd", "utf8"), onFailure)) ?? ""
  const entry = users.split("\n").find((line) => line.split(":")[2] === String(uid))
  return entry?.split(":")[0] || String(uid)
})

const listenerOf = Effect.fnUntraced(function* (uid: number, pid: number | undefined, onFailure: OnFailure) {
  const user = yield* userOf(uid, onFailure)
  if (pid === undefined) return { user }
  const command = yield* commandOf(pid, onFailure)
  const cwd = yield* text(() => readlink(`/proc/${pid}/cwd`), onFailure)
  const listener: Listener = {
    pid,
    ...(command === undefined ? {} : { command }),
    ...(cwd === undefined ? {} : { cwd }),
    user
  }
  return listener
})

const infoOf = (listener: Listener, failure: unknown): ListenerInfo =>
  failure === undefined ? { listener } : { listener, ...ownerError(SystemError.errorReason(failure)) }

/** Finds the owners of sockets among the file descriptors of all processes. */
export const make = Effect.map(Effect.makeSemaphore(1), (one) => {
  /** The link to each socket that an earlier search found. */
  const links = new Map<string, string>()

  const leads = (link: string, inode: string) =>
    readable(
      () => readlinkSync(link),
      () => {}
    ) === `socket:[${inode}]`

  /** Find a link to each of the sockets. A failure does not end the search. */
  const search = Effect.fnUntraced(function* (inodes: ReadonlySet<string>, onFailure: OnFailure) {
    const missing = new Set(inodes)
    for (const [inode, link] of links) {
      if (!leads(link, inode)) links.delete(inode)
      else missing.delete(inode)
    }
    let since = performance.now()
    for (const pid of missing.size === 0 ? [] : (readable(() => readdirSync("/proc"), onFailure) ?? [])) {
      if (!/^\d+$/.test(pid)) continue
      for (const found of socketsOf(pid, onFailure)) {
        if (found !== undefined && missing.delete(found[0])) links.set(...found)
        if (missing.size === 0) return
        if (performance.now() - since < sliceLength) continue
        yield* EventLoop.turn
        since = performance.now()
      }
    }
  })

  return {
    /** The owners of the sockets of one snapshot: each is searched for once. */
    ofSnapshot: () => {
      const known = new Map<string, ListenerInfo>()

      return (sockets: ReadonlyMap<number, ReadonlyArray<SocketInode>>) =>
        Effect.gen(function* () {
          const unknown = [...sockets.values()].flat().filter(({ inode }) => !known.has(inode))
          let searchFailure: unknown
          if (unknown.length > 0) {
            yield* search(new Set(unknown.map(({ inode }) => inode)), (error) => {
              searchFailure ??= error
            })
          }
          yield* Effect.forEach(
            unknown,
            Effect.fnUntraced(function* ({ inode, uid }) {
              const link = links.get(inode)
              let failure = link === undefined ? searchFailure : undefined
              const listener = yield* listenerOf(uid, link === undefined ? undefined : pidOf(link), (error) => {
                failure ??= error
              })
              known.set(inode, infoOf(listener, failure))
            }),
            { concurrency: 8, discard: true }
          )
          return new Map(
            [...sockets].flatMap(([port, each]) => {
              const found = each.flatMap(({ inode }) => known.get(inode) ?? [])
              const info = found.find(({ listener }) => listener.pid !== undefined) ?? found[0]
              return info === undefined ? [] : [[port, info] as const]
            })
          )
        }).pipe(one.withPermits(1))
    }
  } as const
})
