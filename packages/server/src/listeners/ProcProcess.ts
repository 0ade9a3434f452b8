import { isUtf8 } from "node:buffer"
import { readFile, readlink } from "node:fs/promises"
import { basename } from "node:path"
import type { Listener } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import type { FoundSocket } from "../containers/PublishedPorts.ts"
import * as SystemError from "../runtime/SystemError.ts"

/** Called with an error that is not due to the process that is read, such as too many open files. */
export type OnFailure = (error: unknown) => void

/** The process has ended, this user may not inspect it, or the path is too long to be told: expected of any process. */
export const isExpected = (error: unknown): boolean =>
  ["ENOENT", "ESRCH", "EACCES", "EPERM", "ENAMETOOLONG"].includes(SystemError.errorCode(error) ?? "")

/** A path, unless it is not UTF-8: as text it could be another one's. */
const utf8Of = (path: Buffer): string | undefined => (isUtf8(path) ? path.toString() : undefined)

/** What is read, or undefined if that failed. Unexpected errors go to `onFailure`. */
const text = (read: () => Promise<string | undefined>, onFailure: OnFailure): Effect.Effect<string | undefined> =>
  Effect.promise(() =>
    read().catch((error: unknown) => {
      if (!isExpected(error)) onFailure(error)
      return undefined
    })
  )

/** Most characters of a program's name that the kernel keeps. */
const commLength = 15

/** Most characters of a name that is shown: a program can give itself one of 2 MB. */
const mostCharacters = 255

/** What Node calls its first thread, and thereby its process: the second from version 26 on. */
const nodeThreads = ["MainThread", "node-MainThread"]

/** The name of a process's program; of this one, which Node runs, what it is. */
const commandOf = Effect.fnUntraced(function* (pid: number, onFailure: OnFailure) {
  if (pid === process.pid) return "port-server"
  const comm = (yield* text(() => readFile(`/proc/${pid}/comm`, "utf8"), onFailure))?.replace(/\n$/, "")
  const isThread = nodeThreads.includes(comm ?? "")
  if (comm === undefined || (!isThread && Buffer.byteLength(comm) < commLength)) return comm || undefined
  const [argument = ""] = ((yield* text(() => readFile(`/proc/${pid}/cmdline`, "utf8"), onFailure)) ?? "").split("\0")
  const name = basename(argument)
  // A name that does not start the argument was chosen on purpose.
  return name !== "" && (isThread || name.startsWith(comm))
    ? [...name.slice(0, 2 * mostCharacters)].slice(0, mostCharacters).join("")
    : comm
})

/** The ids in the name of a container's control group: its own is the last, behind that of its pod. */
const containerIds = /[0-9a-f]{64}/g

/** Where it runs: its working folder, or in another mount namespace, where a path leads elsewhere, its container. */
const placeOf = Effect.fnUntraced(function* (pid: number, onFailure: OnFailure) {
  const namespace = yield* text(() => readlink(`/proc/${pid}/ns/mnt`), onFailure)
  const own = yield* text(() => readlink("/proc/self/ns/mnt"), onFailure)
  if (namespace === own) {
    const cwd = yield* text(() => readlink(`/proc/${pid}/cwd`, "buffer").then(utf8Of), onFailure)
    return cwd === undefined ? {} : { cwd }
  }
  const groups = (yield* text(() => readFile(`/proc/${pid}/cgroup`, "utf8"), onFailure)) ?? ""
  const id = groups.match(containerIds)?.at(-1)
  return id === undefined ? {} : { containerId: id }
})

/** What is known of a process. */
export type ProcessInfo = Listener & Pick<FoundSocket, "containerId">

/** What this user may read of a process. */
export const describe = Effect.fnUntraced(function* (pid: number, onFailure: OnFailure) {
  const command = yield* commandOf(pid, onFailure)
  const place = yield* placeOf(pid, onFailure)
  const process: ProcessInfo = { pid, ...(command === undefined ? {} : { command }), ...place }
  return process
})

/** The names of users by number, of /etc/passwd. */
export const userNames = (onFailure: OnFailure): Effect.Effect<ReadonlyMap<string, string>> =>
  Effect.map(
    text(() => readFile("/etc/passwd", "utf8"), onFailure),
    (users = "") =>
      new Map(
        users
          .split("\n")
          .reverse()
          .map((line) => {
            const [name = "", , uid = ""] = line.split(":")
            return [uid, name] as const
          })
      )
  )
