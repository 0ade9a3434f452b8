import { readFileSync } from "node:fs"
import { dirname } from "node:path"

/** The mount points of this process (`man 5 proc_pid_mountinfo`), none where the system has no such list. */
const mountPoints = (): ReadonlySet<string> => {
  try {
    const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n")
    const decode = (text: string) =>
      text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    return new Set(lines.flatMap((line) => line.split(" ")[4] ?? []).map(decode))
  } catch {
    return new Set()
  }
}

/**
 * Which folders stop responding together, as of now: those of one mount, named by its mount point. Where mounts cannot
 * be listed, those of one parent folder.
 */
export const read = (): ((path: string) => string) => {
  const points = mountPoints()
  return (path) => {
    for (let folder = path; points.size > 0; folder = dirname(folder)) {
      if (points.has(folder)) return folder
      if (folder === dirname(folder)) break
    }
    return dirname(path)
  }
}
