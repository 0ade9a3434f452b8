import { readFileSync } from "node:fs"

/** A mount by its number, which one in another namespace never has, and where it is. */
interface Mount {
  readonly id: string
  readonly point: string
}

/** The mounts that a process sees (`man 5 proc_pid_mountinfo`), which every user may read; none where that is not known. */
export const mountsOf = (pid: string): ReadonlyArray<Mount> => {
  try {
    const lines = readFileSync(`/proc/${pid}/mountinfo`, "latin1").split("\n")
    return lines.flatMap((line) => {
      const [id = "", , , , point] = line.split(" ", 5)
      return point === undefined ? [] : [{ id, point }]
    })
  } catch {
    return []
  }
}
