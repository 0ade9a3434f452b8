import { readFileSync, readlinkSync } from "node:fs"

/**
 * What tells the network of this program from others, of this machine or another one: the system's start and the number of
 * the namespace. Undefined where the system has no such namespaces.
 */
export const networkNamespace = (): string | undefined => {
  try {
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${readlinkSync("/proc/self/ns/net")}`
  } catch {
    return undefined
  }
}
