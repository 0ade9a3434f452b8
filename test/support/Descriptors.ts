import { execFileSync, spawnSync } from "node:child_process"
import { readdirSync, readlinkSync } from "node:fs"
import * as Effect from "effect/Effect"

/** Why the descriptors of a running process cannot be limited here, if they cannot. */
export const noDescriptorLimits: string | undefined =
  process.platform === "linux" && spawnSync("prlimit", ["--version"]).status === 0
    ? undefined
    : "it needs Linux and prlimit"

/** What a process has open, by descriptor, without what it closes at this moment. */
export const openFiles = (pid: number): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
      try {
        return [[descriptor, readlinkSync(`/proc/${pid}/fd/${descriptor}`)] as const]
      } catch {
        return []
      }
    })
  )

const limit = (pid: number, soft: number) =>
  Effect.sync(() => execFileSync("prlimit", ["--pid", String(pid), `--nofile=${soft}:`]))

/** Let a process open so many more files; the next one fails with EMFILE. */
export const leaveDescriptors = (pid: number, count: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
    let soft = 0
    for (let free = 0; free < count || used.has(soft); soft++) if (!used.has(soft)) free++
    return limit(pid, soft)
  })

/** Let a process open as many files as it likes again. */
export const restoreDescriptors = (pid: number): Effect.Effect<void> => limit(pid, 1024)

/** Wait until a process has nothing open but what it had open at some time before. */
export const settledDescriptors = (pid: number, before: ReadonlyMap<string, string>): Effect.Effect<void> => {
  const known = new Set(before.values())
  return Effect.sync(() => [...openFiles(pid).values()].every((file) => known.has(file))).pipe(
    Effect.delay("10 millis"),
    Effect.repeat({ until: (isSettled) => isSettled }),
    Effect.asVoid
  )
}
