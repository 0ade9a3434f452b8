import type { Listener } from "@port-server/domain/Listener"
import { escapeControls } from "@port-server/domain/Name"

/** Who listens, as sentences name it: `postgres (pid 812)`, or as much of it as is known. */
export const listenerName = ({ command, pid, user }: Listener): string => {
  if (command !== undefined)
    return pid === undefined ? escapeControls(command) : `${escapeControls(command)} (pid ${pid})`
  if (pid !== undefined) return `a process (pid ${pid})`
  return user === undefined ? "something" : `a process of user ${escapeControls(user)}`
}

/** That somebody listens on a port: `postgres (pid 812) is listening on port 5432`. */
export const isListening = (listener: Listener, place: string): string =>
  `${listenerName(listener)} is listening on ${place}`
