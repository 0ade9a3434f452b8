import { escapeControls } from "@port-server/domain/Name"
import type { Listener } from "./Types.ts"

/** A stored text as it is shown: what would steer the text around it is written out. */
export const shown = escapeControls

/** The name of the process, or as much as is known. */
const processName = ({ command, pid, user }: Listener): string => {
  if (command !== undefined) return pid === undefined ? shown(command) : `${shown(command)} (pid ${pid})`
  if (pid !== undefined) return `a process (pid ${pid})`
  return user === undefined ? "something" : `a process of ${shown(user)}`
}

/** The name of a container. */
export const containerName = ({ name }: NonNullable<Listener["container"]>): string => shown(name)

/** Who a socket is for: the container, or else the process. */
export const listenerName = (listener: Listener): string =>
  listener.container === undefined ? processName(listener) : `container ${containerName(listener.container)}`

/** `1 port`, `2 ports`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`
