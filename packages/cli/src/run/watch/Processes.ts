import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import { basename } from "node:path"
import { attempt, startOf } from "../../platform/Process.ts"

const childrenOf = (pid: number): ReadonlyArray<number> =>
  (attempt(() => readdirSync(`/proc/${pid}/task`)) ?? []).flatMap((thread) =>
    (attempt(() => readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1")) ?? "")
      .split(" ")
      .filter(Boolean)
      .map(Number)
  )

/** Follows a process and all that it starts, also those whose parent has ended. */
export const processTree = (root: number): (() => ReadonlyArray<number>) => {
  let known = new Map([[root, startOf(root)]])
  return () => {
    const found = new Map<number, string | undefined>()
    const add = (pid: number, expected?: string) => {
      const start = found.has(pid) ? undefined : startOf(pid)
      if (start === undefined || (expected !== undefined && start !== expected)) return
      found.set(pid, start)
      for (const child of childrenOf(pid)) add(child)
    }
    for (const [pid, start] of known) add(pid, start)
    known = found
    return [...found.keys()]
  }
}

/** The inodes of the sockets that a process has open. */
export const socketsOf = (pid: number): ReadonlyArray<string> =>
  (attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? []).flatMap((descriptor) => {
    const target = attempt(() => readlinkSync(`/proc/${pid}/fd/${descriptor}`)) ?? ""
    return target.startsWith("socket:[") ? [target.slice("socket:[".length, -1)] : []
  })

/** The name of a process's program. Node calls its first thread MainThread or node-MainThread. */
export const nameOf = (pid: number): string => {
  const comm = (attempt(() => readFileSync(`/proc/${pid}/comm`, "utf8")) ?? "").replace(/\n$/, "")
  const [file = ""] = (attempt(() => readFileSync(`/proc/${pid}/cmdline`, "utf8")) ?? "").split("\0")
  const name = comm.endsWith("MainThread") ? basename(file) || comm : comm
  // A process can choose its name; the domain's schemas would cost this program its start.
  return name.replace(/\p{C}/gu, "?")
}

/** A variable of the environment that a process was started with. */
export const variableOf = (pid: number, name: string): string | undefined =>
  (attempt(() => readFileSync(`/proc/${pid}/environ`, "utf8")) ?? "")
    .split("\0")
    .find((variable) => variable.startsWith(`${name}=`))
    ?.slice(name.length + 1)
