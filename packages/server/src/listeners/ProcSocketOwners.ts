import { readdirSync, readlinkSync } from "node:fs"
import { readFile, readlink } from "node:fs/promises"
import { basename } from "node:path"
import type { Listener } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as EventLoop from "../runtime/EventLoop.ts"

/** What tells whose a socket is. */
export interface Owned {
  /** The number that its file descriptor leads to. */
  readonly inode: string
  /** The user who opened it. */
  readonly uid: number
}

/**
 * How long the search goes through file descriptors at a time, in ms, before others get their turn. One descriptor costs
 * microseconds; each through the thread pool would cost ten times as much.
 */
const sliceLength = 1

/** Most characters of a program's name that the kernel keeps. */
const commLength = 15

/** What `read` gives, or nothing where it may not be read or is gone by now. */
const readable = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** Of a process whose descriptors may not be looked at, each one says so. */
const isForbidden = (error: unknown) =>
  Predicate.hasProperty(error, "code") && (error.code === "EACCES" || error.code === "EPERM")

const socket = /^socket:\[(\d+)\]$/

/** The sockets that a process has open, with the path that leads to each; goes on at every `yield`. */
function* socketsOf(pid: string): Generator<readonly [inode: string, link: string] | undefined> {
  yield undefined
  for (const descriptor of readable(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
    const link = `/proc/${pid}/fd/${descriptor}`
    try {
      const [, inode] = socket.exec(readlinkSync(link)) ?? []
      yield inode === undefined ? undefined : [inode, link]
    } catch (error) {
      if (isForbidden(error)) return
    }
  }
}

const pidOf = (link: string): number => Number(link.split("/")[2])

/** What is read of a process, or nothing where it may not be read or is gone. */
const text = (read: () => Promise<string>) =>
  Effect.orElseSucceed(Effect.tryPromise(read), (): string | undefined => undefined)

/** The name of a process's program. */
const commandOf = Effect.fnUntraced(function* (pid: number) {
  const comm = (yield* text(() => readFile(`/proc/${pid}/comm`, "utf8")))?.replace(/\n$/, "")
  if (comm === undefined || (comm !== "MainThread" && Buffer.byteLength(comm) < commLength)) return comm || undefined
  const [argument = ""] = ((yield* text(() => readFile(`/proc/${pid}/cmdline`, "utf8"))) ?? "").split("\0")
  const name = basename(argument)
  // Node calls its first thread MainThread; any other name that is not the start of the argument was chosen on purpose.
  return name !== "" && (comm === "MainThread" || name.startsWith(comm)) ? name : comm
})

/** The name of a user in the machine's own list, or the number. */
const userOf = Effect.fnUntraced(function* (uid: number) {
  const users = (yield* text(() => readFile("/etc/passwd", "utf8"))) ?? ""
  const entry = users.split("\n").find((line) => line.split(":")[2] === String(uid))
  return entry?.split(":")[0] || String(uid)
})

const listenerOf = Effect.fnUntraced(function* ({ uid }: Owned, pid: number | undefined) {
  const user = yield* userOf(uid)
  if (pid === undefined) return { user }
  const command = yield* commandOf(pid)
  const cwd = yield* text(() => readlink(`/proc/${pid}/cwd`))
  const listener: Listener = {
    pid,
    ...(command === undefined ? {} : { command }),
    ...(cwd === undefined ? {} : { cwd }),
    user
  }
  return listener
})

/** Whose the sockets of this machine are, found among the file descriptors of all processes. */
export const make = Effect.map(Effect.makeSemaphore(1), (one) => {
  /** The descriptors that led to sockets when they were last looked for. */
  const links = new Map<string, string>()

  const leads = (link: string, inode: string) => readable(() => readlinkSync(link)) === `socket:[${inode}]`

  /** Find a descriptor for each of the sockets, and remember it. */
  const search = Effect.fnUntraced(function* (inodes: ReadonlySet<string>) {
    const missing = new Set(inodes)
    for (const [inode, link] of links) {
      if (!leads(link, inode)) links.delete(inode)
      else missing.delete(inode)
    }
    let since = performance.now()
    for (const pid of missing.size === 0 ? [] : (readable(() => readdirSync("/proc")) ?? [])) {
      if (!/^\d+$/.test(pid)) continue
      for (const found of socketsOf(pid)) {
        if (found !== undefined && missing.delete(found[0])) links.set(...found)
        if (missing.size === 0) return
        if (performance.now() - since < sliceLength) continue
        yield* EventLoop.turn
        since = performance.now()
      }
    }
  })

  return {
    /** Look at the owners of sockets as of one moment: each is looked for once. */
    look: () => {
      const listeners = new Map<string, Listener>()

      return (sockets: ReadonlyMap<number, ReadonlyArray<Owned>>) =>
        Effect.gen(function* () {
          const all = [...sockets.values()].flat()
          const unseen = all.filter(({ inode }) => !listeners.has(inode))
          if (unseen.length > 0) yield* search(new Set(unseen.map(({ inode }) => inode)))
          yield* Effect.forEach(
            unseen,
            Effect.fnUntraced(function* (owned) {
              const link = links.get(owned.inode)
              listeners.set(owned.inode, yield* listenerOf(owned, link === undefined ? undefined : pidOf(link)))
            }),
            { concurrency: 8, discard: true }
          )
          return new Map(
            [...sockets].flatMap(([port, each]) => {
              const found = each.flatMap(({ inode }) => listeners.get(inode) ?? [])
              const listener = found.find(({ pid }) => pid !== undefined) ?? found[0]
              return listener === undefined ? [] : [[port, listener] as const]
            })
          )
        }).pipe(one.withPermits(1))
    }
  } as const
})
