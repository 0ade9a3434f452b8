import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** How long after the last large request garbage is collected, in ms. */
const quietTime = 2_000

let timer: NodeJS.Timeout | undefined

const collect = () => {
  timer = undefined
  setFlagsFromString("--expose-gc")
  const gc: unknown = runInNewContext("gc")
  setFlagsFromString("--no-expose-gc")
  if (typeof gc === "function") gc()
}

/**
 * Give back the memory of large requests once there are none for a while. V8 by itself collects it only when more is
 * allocated, which a server that has nothing to do does not.
 */
export const soon = (): void => {
  clearTimeout(timer)
  timer = setTimeout(collect, quietTime).unref()
}
