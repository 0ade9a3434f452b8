import type { ListeningPort, Socket } from "./Types.ts"

/** The state of every port while nothing is known of sockets: they are being read, or could not be read. */
export type Unread = "reading" | "unreadable"

/**
 * What is on an allocated port: the project's own process or container, nothing, somebody else's, or something of which
 * it is not known whose it is.
 */
export type PortState = "foreign" | "unknown" | "listening" | "container" | "idle" | Unread

/** The states, worst first. */
export const portStates: ReadonlyArray<PortState> = [
  "foreign",
  "unknown",
  "listening",
  "container",
  "idle",
  "reading",
  "unreadable"
]

/** The sockets on a port, those first that tell its state. */
export const socketsOf = (listening: ListeningPort | undefined): ReadonlyArray<Socket> => {
  const rank = ({ belongs }: Socket) => (belongs === "no" ? 0 : belongs === "yes" ? 1 : 2)
  return [...(listening?.listeners ?? [])].sort((one, other) => rank(one) - rank(other))
}

/** The state of an allocated port. */
export const stateOf = (sockets: ReadonlyArray<Socket>): PortState => {
  if (sockets.length === 0) return "idle"
  if (sockets.some(({ belongs }) => belongs === "no")) return "foreign"
  if (!sockets.every(({ belongs }) => belongs === "yes")) return "unknown"
  return sockets.some(({ container }) => container !== undefined) ? "container" : "listening"
}
