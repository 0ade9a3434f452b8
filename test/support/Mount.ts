import { execFileSync } from "node:child_process"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { realFolder } from "./Git.ts"
import { until } from "./Processes.ts"
import { start } from "./Programs.ts"

/** Mounting takes the superuser's rights on Linux; then bindfs must be there, and its absence fails the test. */
export const canMount = process.platform === "linux" && process.getuid?.() === 0

/** A file system of a test's own. */
export interface Mount {
  /** Its mount point. */
  readonly folder: string
  /** From now on nothing in it responds, until the end of the scope: what waits for it can be ended then. */
  readonly hang: Effect.Effect<void, never, Scope.Scope>
  readonly resume: Effect.Effect<void>
  readonly unmount: Effect.Effect<void>
}

const isMounted = (folder: string) => readFileSync("/proc/self/mountinfo", "utf8").includes(` ${folder} `)

/** Mount a FUSE file system, which hangs when its process is stopped; it is unmounted at the end of the scope. */
export const mount: Effect.Effect<Mount, never, Scope.Scope> = Effect.gen(function* () {
  const top = yield* realFolder
  const [source, folder] = [join(top, "source"), join(top, "mount")]
  mkdirSync(source)
  mkdirSync(folder)
  const unmount = Effect.sync(() => {
    if (isMounted(folder)) execFileSync("umount", ["--lazy", folder])
  })
  yield* Effect.addFinalizer(() => unmount)
  // Nothing is answered from what the kernel remembers.
  const options = ["-f", "-o", "attr_timeout=0,entry_timeout=0"]
  const { output, process } = yield* start("bindfs", [...options, source, folder])
  const signal = (name: NodeJS.Signals) => Effect.sync(() => void process.kill(name))
  yield* until(() => isMounted(folder) || process.exitCode !== null)
  if (!isMounted(folder)) return yield* Effect.dieMessage(`bindfs mounted nothing: ${output.stderr}`)
  const resume = signal("SIGCONT")
  const hang = Effect.zipRight(
    Effect.addFinalizer(() => resume),
    signal("SIGSTOP")
  )
  return { folder, hang, resume, unmount }
})
