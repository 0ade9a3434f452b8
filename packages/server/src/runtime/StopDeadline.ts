import { statfsSync } from "node:fs"
import { Worker } from "node:worker_threads"
import * as StopWatch from "./StopWatch.ts"

/** Longest time for an orderly stop, in ms: more than requests in flight get, less than those who stop it wait. */
export const deadline = 4_500

/** Set to 1 at the first signal to stop; the watching thread sees it. */
const began = new Int32Array(new SharedArrayBuffer(4))

/**
 * End this process some seconds after the first signal to stop, whatever hangs by then. Every response that was sent is
 * durable. By SIGKILL: an exit would wait for threads that hang.
 */
export const install = (): void => {
  const signals = ["SIGINT", "SIGTERM"] as const
  const begin = () => {
    // A second signal ends the process at once.
    for (const signal of signals) process.off(signal, begin)
    Atomics.store(began, 0, 1)
    Atomics.notify(began, 0)
    setTimeout(() => process.kill(process.pid, "SIGKILL"), deadline).unref()
  }
  for (const signal of signals) process.on(signal, begin)
}

/**
 * The file systems on this machine's own disks and memory, by their numbers (statfs(2)). A wait for one of them is short,
 * or cannot be ended by a signal either.
 */
const ownFileSystems = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0xf2f52010, // F2FS
  0x2fc12fc1, // ZFS
  0xca451a4e, // bcachefs
  0x01021994, // tmpfs
  0x794c7630 // overlay, of containers
])

const mayHang = (file: string): boolean => {
  try {
    return !ownFileSystems.has(statfsSync(file).type)
  } catch {
    return false
  }
}

/**
 * The same while SQLite, which runs on the main thread, waits for a file system of the network or of a program: then no
 * handler of a signal runs. A thread of its own, which takes 10 MiB, ends the process; only where such a wait is possible.
 */
export const watch = (database: string): void => {
  if (process.platform !== "linux" || !mayHang(database)) return
  const worker = new Worker(StopWatch.source, {
    eval: true,
    execArgv: [],
    workerData: { began, deadline } satisfies StopWatch.Input
  })
  // Without it the process stops as it does elsewhere.
  worker.on("error", () => {})
  worker.unref()
}
