import { readFileSync } from "node:fs"

/** The numbers in a file of `/proc/sys/net/ipv4`; none on other systems, which have other rules. */
const numbers = (name: string): ReadonlyArray<number> => {
  try {
    return readFileSync(`/proc/sys/net/ipv4/${name}`, "utf8").match(/\d+/g)?.map(Number) ?? []
  } catch {
    return []
  }
}

/** The ports that the administrator keeps back from outgoing connections. */
const reserved = (): ((port: number) => boolean) => {
  let text = ""
  try {
    text = readFileSync("/proc/sys/net/ipv4/ip_local_reserved_ports", "utf8").trim()
  } catch {
    // Another system.
  }
  const ranges = text.split(",").map((range) => range.split("-").map(Number))
  return (port) => ranges.some(([first = 0, last = first]) => port >= first && port <= last)
}

/** A note that only the superuser may bind the port, where this user is another one. */
export const privilegedNote = (port: number): string | undefined => {
  const [first = 0] = numbers("ip_unprivileged_port_start")
  return port < first && process.getuid?.() !== 0
    ? `note: port ${port} is privileged: a normal user may bind ports from ${first} on (net.ipv4.ip_unprivileged_port_start)`
    : undefined
}

/** A note that the system itself hands out ports of the range, for outgoing connections. */
export const ephemeralNote = (range: string): string | undefined => {
  const [first = 0, last = 0] = range.split("-").map(Number)
  const [low = 0, high = -1] = numbers("ip_local_port_range")
  const isReserved = reserved()
  for (let port = Math.max(first, low); port <= Math.min(last, high); port++) {
    if (!isReserved(port))
      return `note: range ${range} overlaps ${low}-${high}, from which the system takes ports for outgoing connections (net.ipv4.ip_local_port_range)`
  }
  return undefined
}
