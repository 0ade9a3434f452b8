import type { Listener, PortSocket } from "./Listener.ts"

// Apart from the schemas of listeners, which a short program does without.

/** Most ports that one question can be about. */
export const maxListenersPorts = 256

/** The removed folder that a process runs in, unless that has such a name: Linux writes a mark behind its path. */
export const removedFolder = (cwd: string): string | undefined => {
  const mark = " (deleted)"
  return cwd.endsWith(mark) ? cwd.slice(0, -mark.length) : undefined
}

/** The sockets on a port, also from a server that knows only the first listener. */
export const socketsOf = (port: {
  readonly listener?: Listener
  readonly listeners?: ReadonlyArray<PortSocket>
}): ReadonlyArray<PortSocket> =>
  port.listeners ?? (port.listener === undefined ? [] : [{ protocol: "tcp", state: "listening", ...port.listener }])
