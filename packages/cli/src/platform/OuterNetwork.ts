import { readFileSync, readlinkSync, statSync } from "node:fs"
import * as DataFolder from "./DataFolder.ts"
import * as Process from "./Process.ts"

const networkOf = (pid: number | "self") => Process.attempt(() => readlinkSync(`/proc/${pid}/ns/net`))

/** The home that a process was started with. */
const homeOf = (pid: number) =>
  Process.attempt(() => /(?:^|\0)HOME=([^\0]+)/.exec(readFileSync(`/proc/${pid}/environ`, "utf8"))?.[1])

/** Whether a folder is the same one for a process, which may have other mounts. */
const isShared = (folder: string, pid: number): boolean => {
  const own = Process.attempt(() => statSync(folder))
  const theirs = Process.attempt(() => statSync(`/proc/${pid}/root${folder}`))
  return own !== undefined && theirs !== undefined && own.dev === theirs.dev && own.ino === theirs.ino
}

/**
 * Whether this process comes from one that has the same home, and another network: a sandbox is in between. False where
 * the system has no network namespaces, and where nothing is seen of what is outside.
 */
export const isAroundThis = (): boolean => {
  const network = networkOf("self")
  const home = Process.attempt(DataFolder.home)
  if (network === undefined || home === undefined) return false
  return [...Process.ownLine()].some((pid) => {
    const theirs = networkOf(pid)
    return theirs !== undefined && theirs !== network && homeOf(pid) === home && isShared(home, pid)
  })
}
