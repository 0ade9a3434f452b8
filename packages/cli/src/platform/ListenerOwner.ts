import { closeSync, openSync, readSync } from "node:fs"

/** Enough of the table: what listens comes first in it. */
const most = 256 * 1024

/** The beginning of a file of /proc, which is read in pieces. */
const beginningOf = (file: string): string => {
  const descriptor = openSync(file, "r")
  try {
    const bytes = Buffer.allocUnsafe(most)
    let length = 0
    for (;;) {
      const count = readSync(descriptor, bytes, length, Math.min(16 * 1024, most - length), null)
      length += count
      // The first connection ends what listens.
      if (
        count === 0 ||
        length === most ||
        /: [0-9A-F]+:[0-9A-F]{4} [0-9A-F:]+ 0[1-9]/.test(bytes.toString("latin1", 0, length))
      )
        return bytes.toString("latin1", 0, length)
    }
  } finally {
    closeSync(descriptor)
  }
}

/** The user who listens on a port of 127.0.0.1, by number; undefined when nobody does, or where that cannot be read. */
export const listenerUid = (port: number): number | undefined => {
  if (process.platform !== "linux") return undefined
  const digits = port.toString(16).toUpperCase().padStart(4, "0")
  try {
    // Slot, local address:port, remote address, state (0A is LISTEN), queues, timer, retransmits, uid.
    const row = new RegExp(`: (?:0100007F|00000000):${digits} [0-9A-F:]+ 0A (?:\\S+ +){3}(\\d+)`)
    const [, uid] = row.exec(beginningOf("/proc/net/tcp")) ?? []
    return uid === undefined ? undefined : Number(uid)
  } catch {
    return undefined
  }
}
