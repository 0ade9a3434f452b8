import { idleState } from "@port-server/domain/ContainerState"
import { containerName, listenerName, shown } from "../model/Text.ts"
import type { Listener, Socket } from "../model/Types.ts"
import { nameOf } from "../model/WorkingCopies.ts"

const verbs: Readonly<Record<Socket["state"], string>> = {
  listening: "",
  bound: ", bound without listening",
  connected: ", end of a connection"
}

const places = (sockets: ReadonlyArray<Socket>): string =>
  [...new Set(sockets.map(({ address, protocol }) => `${protocol} ${address ?? ""}`.trim()))].join(", ")

/** Where a process belongs: to a working copy, or else its folder. */
const place = ({ container, cwd, project }: Socket): string => {
  if (project !== undefined) return ` of ${nameOf(project)}`
  const folder = container === undefined ? cwd : container.folder
  return folder === undefined ? "" : ` in ${shown(folder)}`
}

/** Who is on a port: one line for each process. */
export const Who = ({
  error,
  hasFolders,
  sockets,
  stopped
}: {
  /** The stopped container that publishes the port. */
  readonly stopped?: Listener["container"]
  readonly sockets: ReadonlyArray<Socket>
  readonly hasFolders: boolean
  readonly error: string | undefined
}) => {
  // The state of an own container says that it is one.
  const name = (socket: Socket) =>
    socket.container === undefined || hasFolders ? listenerName(socket) : containerName(socket.container)
  const processes = new Map(sockets.map((socket) => [`${name(socket)}${verbs[socket.state]}`, socket]))
  return (
    <span
      class="who"
      title={[places(sockets), ...sockets.flatMap(({ container }) => container?.image ?? [])].join(", ")}
    >
      {[...processes].map(([text, socket]) => (
        <span key={text} class="process">
          {text}
          {hasFolders ? <span class="muted">{place(socket)}</span> : undefined}
        </span>
      ))}
      {stopped === undefined ? undefined : (
        <span class="process muted">{`${containerName(stopped)}, ${idleState(stopped)}`}</span>
      )}
      {error === undefined ? undefined : <span class="muted">{shown(error)}</span>}
    </span>
  )
}
