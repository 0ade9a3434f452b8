import { getHeapStatistics, setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** How long after the last large request garbage is collected, in ms. */
const quietTime = 2_000

/** How often it is seen whether there is memory to give back, in ms. */
const interval = 10_000

/** The part of such an interval that a process works at most which has little to do. */
const littleWork = 0.1

/** How many bytes the heap has grown when it is worth a collection. */
const worthwhile = 32 * 1024 * 1024

let timer: NodeJS.Timeout | undefined

/** Collect garbage. With the options of a last resort V8 also gives its young generation back, which takes longer. */
const collect = (options?: { readonly type: "major"; readonly execution: "sync"; readonly flavor: "last-resort" }) => {
  setFlagsFromString("--expose-gc")
  const gc: unknown = runInNewContext("gc")
  setFlagsFromString("--no-expose-gc")
  if (typeof gc === "function") gc(options)
}

/**
 * Give back the memory of large requests once there are none for a while. V8 by itself collects it only when more is
 * allocated, which a server that has nothing to do does not.
 */
export const soon = (): void => {
  clearTimeout(timer)
  timer = setTimeout(() => {
    timer = undefined
    collect()
  }, quietTime).unref()
}

/** Give back, from now on, what a time with many requests of any kind has taken, once there are few. */
export const whenIdle = (): void => {
  let least = getHeapStatistics().total_heap_size
  // Node makes `performance` when it is first used, which a start does not wait for.
  let last: ReturnType<typeof performance.eventLoopUtilization> | undefined
  setInterval(() => {
    const now = performance.eventLoopUtilization()
    const { utilization } = last === undefined ? { utilization: 1 } : performance.eventLoopUtilization(now, last)
    last = now
    if (utilization > littleWork || getHeapStatistics().total_heap_size < least + worthwhile) return
    collect({ type: "major", execution: "sync", flavor: "last-resort" })
    least = getHeapStatistics().total_heap_size
  }, interval).unref()
}
