import { execFileSync } from "node:child_process"
import { readFileSync, readlinkSync } from "node:fs"

/** The result of a read of a process; nothing where it has ended or may not be inspected. */
export const attempt = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** Whether the numbers in /proc are those of this program's PID namespace, and not of other processes. */
export const isOwnProc = (): boolean => attempt(() => readlinkSync("/proc/self")) === String(process.pid)

/** The fields of `/proc/PID/stat` behind the name, which stands in parentheses and can hold anything. */
const statOf = (pid: number): ReadonlyArray<string> =>
  attempt(() =>
    readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ")
  ) ?? []

/** When a process started, in ticks since the boot: with its number, that is this process and no later one. */
export const startOf = (pid: number): string | undefined => statOf(pid)[19]

/** A process, by what tells it from a later one with its number. */
export interface Process {
  readonly pid: number
  readonly start: string
  readonly parent: number
  /** Its users by number, real and effective. */
  readonly uids: ReadonlyArray<number>
}

const fromProc = (pid: number): Process | undefined => {
  const fields = statOf(pid)
  const [state, parent, start] = [fields[0], fields[1], fields[19]]
  const [, real, effective] =
    /^Uid:\t(\d+)\t(\d+)/m.exec(attempt(() => readFileSync(`/proc/${pid}/status`, "latin1")) ?? "") ?? []
  // A zombie has ended, and its parent has not waited for it yet.
  if (start === undefined || real === undefined || state === "Z") return undefined
  return { pid, start, parent: Number(parent), uids: [Number(real), Number(effective)] }
}

const fromPs = (pid: number): Process | undefined => {
  const output = attempt(() =>
    execFileSync("ps", ["-o", "state=,ppid=,ruid=,uid=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "ignore"]
    })
  )
  const [, state = "Z", parent, real, effective, start = ""] =
    /^\s*(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(.*\S)\s*$/.exec(output ?? "") ?? []
  if (state.startsWith("Z")) return undefined
  return { pid, start, parent: Number(parent), uids: [Number(real), Number(effective)] }
}

/** The process with a number; nothing where it has ended. */
export const find: (pid: number) => Process | undefined = process.platform === "linux" ? fromProc : fromPs

/** Whether that very process still runs. */
export const isAlive = ({ pid, start }: Process): boolean => find(pid)?.start === start

/** The numbers of this process and of those that it comes from. */
export const ownLine = (): ReadonlySet<number> => {
  const line = new Set([process.pid])
  for (let pid = process.ppid; pid > 0 && !line.has(pid); pid = find(pid)?.parent ?? 0) line.add(pid)
  return line
}
