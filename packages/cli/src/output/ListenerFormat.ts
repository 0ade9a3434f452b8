import type { Listener, PortSocket, SocketProject } from "@port-server/domain/Listener"
import { escapeControls } from "@port-server/domain/Name"
import * as ContainerFormat from "./ContainerFormat.ts"

/** A process, as sentences name it: `postgres (pid 812)`, or as much of it as is known. */
export const processName = ({ command, pid, user }: Listener): string => {
  if (command !== undefined)
    return pid === undefined ? escapeControls(command) : `${escapeControls(command)} (pid ${pid})`
  if (pid !== undefined) return `a process (pid ${pid})`
  return user === undefined ? "something" : `a process of user ${escapeControls(user)}`
}

/** Who listens, as sentences name it: the container for which a process does so, or the process. */
export const listenerName = (listener: Listener): string =>
  listener.container === undefined ? processName(listener) : ContainerFormat.fullName(listener.container)

/** The sockets of one process, or for one container, on a port, in one state. */
export interface ProcessSockets {
  /** The first of them: its process is that of the others. */
  readonly first: PortSocket
  readonly sockets: ReadonlyArray<PortSocket>
}

/** The sockets on a port by process or container, and state, in the order in which they came. */
export const byProcess = (sockets: ReadonlyArray<PortSocket>): ReadonlyArray<ProcessSockets> => {
  const groups = new Map<string, { readonly first: PortSocket; readonly sockets: Array<PortSocket> }>()
  for (const socket of sockets) {
    const { belongs, command, container, pid, state, user } = socket
    const key = `${state} ${container?.id ?? `${pid} ${command} ${user}`} ${belongs}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { first: socket, sockets: [socket] })
    else group.sockets.push(socket)
  }
  return [...groups.values()]
}

/** Where sockets are: `tcp 127.0.0.1, tcp ::1`, or the protocol alone where no address is known. */
export const places = ({ sockets }: ProcessSockets): string =>
  [
    ...new Set(
      sockets.map(({ address, protocol }) =>
        address === undefined ? protocol : `${protocol} ${escapeControls(address)}`
      )
    )
  ].join(", ")

const verbs: Readonly<Record<PortSocket["state"], string>> = {
  listening: "is listening on",
  bound: "is bound to",
  connected: "has a connection from"
}

/** That a process holds a port: `postgres (pid 812) is listening on port 5432`. */
export const holds = ({ first }: Pick<ProcessSockets, "first">, port: string): string =>
  `${listenerName(first)} ${verbs[first.state]} ${port}`

/** A project that a process belongs to: `shop/feature (/home/you/shop-feature)`. */
export const projectName = ({ app, folder, instance }: SocketProject): string => `${app}/${instance} (${folder})`

/** Whose a process is that does not belong to the given project: the rest of a sentence about it. */
export const whose = ({ container, cwd, project }: PortSocket): string => {
  if (project !== undefined) return `belongs to ${escapeControls(projectName(project))}`
  if (container !== undefined) return ContainerFormat.whose(container)
  return cwd === undefined ? "runs in a folder that cannot be read" : `runs in ${escapeControls(cwd)}`
}

/** What is on a port, in one line; for what does not belong to the asking working copy, whose it is. */
export const summary = (sockets: ReadonlyArray<PortSocket>): string =>
  byProcess(sockets)
    .map((group) => {
      const { first } = group
      const remark = first.belongs === "yes" ? "" : `, ${whose(first)}`
      return `${listenerName(first)} ${first.state} ${places(group)}${remark}`
    })
    .join("; ")
