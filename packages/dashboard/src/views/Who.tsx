import { processName, shown } from "../model/Text.ts"
import type { Socket } from "../model/Types.ts"
import { nameOf } from "../model/WorkingCopies.ts"

const verbs: Readonly<Record<Socket["state"], string>> = {
  listening: "",
  bound: ", bound without listening",
  connected: ", end of a connection"
}

const places = (sockets: ReadonlyArray<Socket>): string =>
  [...new Set(sockets.map(({ address, protocol }) => `${protocol} ${address ?? ""}`.trim()))].join(", ")

/** Where a process belongs: to a working copy, or else its folder. */
const place = ({ cwd, project }: Socket): string => {
  if (project !== undefined) return ` of ${nameOf(project)}`
  return cwd === undefined ? "" : ` in ${shown(cwd)}`
}

/** Who is on a port: one line for each process. */
export const Who = ({
  error,
  hasFolders,
  sockets
}: {
  readonly sockets: ReadonlyArray<Socket>
  readonly hasFolders: boolean
  readonly error: string | undefined
}) => {
  const processes = new Map(sockets.map((socket) => [`${processName(socket)}${verbs[socket.state]}`, socket]))
  return (
    <span class="who" title={places(sockets)}>
      {[...processes].map(([name, socket]) => (
        <span key={name} class="process">
          {name}
          {hasFolders ? <span class="muted">{place(socket)}</span> : undefined}
        </span>
      ))}
      {error === undefined ? undefined : <span class="muted">{shown(error)}</span>}
    </span>
  )
}
