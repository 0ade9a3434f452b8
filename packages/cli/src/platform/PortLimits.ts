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

const firstUnprivileged = () => numbers("ip_unprivileged_port_start")[0] ?? 0

/** Whether only the superuser may bind the port, and this user is another one. */
export const isPrivileged = (port: number): boolean => port < firstUnprivileged() && process.getuid?.() !== 0

const unlessBindable = (port: number, subject: string): string | undefined => {
  const first = firstUnprivileged()
  return isPrivileged(port)
    ? `${subject}: a normal user may bind ports from ${first} on (net.ipv4.ip_unprivileged_port_start)`
    : undefined
}

const noteOf = (reason: string | undefined) => (reason === undefined ? undefined : `note: ${reason}`)

/** That only the superuser may bind the port, where this user is another one. */
export const privilegedReason = (port: number): string | undefined => unlessBindable(port, `port ${port} is privileged`)

/** The same as a note. */
export const privilegedNote = (port: number): string | undefined => noteOf(privilegedReason(port))

/** The same for the first port of a range. */
export const privilegedRangeNote = (range: string): string | undefined =>
  noteOf(unlessBindable(Number(range.split("-")[0]), `range ${range} has privileged ports`))

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
