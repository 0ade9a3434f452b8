import { spawnSync } from "node:child_process"

/** What is traced, by whom: the process that was started is the program itself, and strace looks on from aside. */
const options = ["-D", "-f", "-q", "-y", "-e", "trace=fdatasync,fsync,pwrite64,write,writev"]

/** The command line that runs a program and writes its system calls to a file, with whole pages and answers. */
export const traced = (output: string, program: string, args: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...options,
  ...["-s", "8192", "-o", output, program],
  ...args
]

/** Why nothing can be traced here, if nothing can. */
export const obstacle = (): string | undefined => {
  const { error, status, stderr } = spawnSync("strace", traced("/dev/null", "true", []), { encoding: "utf8" })
  if (error !== undefined) return `strace cannot be started: ${error.message}`
  return status === 0 ? undefined : `strace cannot trace: ${stderr.trim()}`
}

/** Whether a trace is whole: its last word on a process that was killed is there. */
export const isWhole = (trace: string, pid: number): boolean =>
  new RegExp(`^${pid} +\\+\\+\\+ killed by SIGKILL`, "m").test(trace)

/** What a traced server did, in order: it wrote to its log, its log reached the disk, it answered. */
export type Event =
  | { readonly did: "log"; readonly text: string }
  | { readonly did: "sync" }
  | { readonly did: "answer"; readonly status: number; readonly text: string }

// strace fills a short process number up with spaces.
const call = /^(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\((\d+)<([^>]*)>)/

/** Read a trace. A write counts from where it began, a sync from where it ended. */
export const eventsOf = (trace: string): ReadonlyArray<Event> => {
  const events: Array<Event> = []
  const syncing = new Set<string>()
  for (const line of trace.split("\n")) {
    const [, thread = "", name = "", descriptor, file = ""] = call.exec(line) ?? []
    if (name === "fdatasync" || name === "fsync") {
      if (descriptor !== undefined && file.endsWith("-wal")) syncing.add(thread)
      if (!/= 0$/.test(line) || !syncing.delete(thread)) continue
      events.push({ did: "sync" })
    } else if (descriptor !== undefined && file.endsWith("-wal")) {
      events.push({ did: "log", text: line })
    } else if (descriptor !== undefined && file.startsWith("socket:")) {
      const [, status] = /"HTTP\/1\.1 (\d{3})/.exec(line) ?? []
      if (status !== undefined) events.push({ did: "answer", status: Number(status), text: line })
    }
  }
  return events
}
