import { closeSync, readdirSync, readFileSync } from "node:fs"

/** O_CLOEXEC, as /proc shows it. */
const closeOnExec = 0o2000000

const isInherited = (descriptor: string): boolean => {
  const [, flags = ""] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8")) ?? []
  return flags !== "" && (Number.parseInt(flags, 8) & closeOnExec) === 0
}

/**
 * Close the descriptors above 2 that this program got from its caller and that a child would get from it. Node marks what it
 * got only up to the first gap above 15; a child that outlives its caller would keep locks and pipes open. On macOS, libuv
 * gives no child any of them.
 */
export const close = (): void => {
  if (process.platform !== "linux") return
  try {
    for (const descriptor of readdirSync("/proc/self/fd")) {
      try {
        if (Number(descriptor) > 2 && isInherited(descriptor)) closeSync(Number(descriptor))
      } catch {
        // The one that read the folder: it is closed already.
      }
    }
  } catch {
    // Without /proc nothing is known of them.
  }
}
