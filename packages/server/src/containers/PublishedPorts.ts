import { isEngineProgram } from "@port-server/domain/EngineProgram"
import type { PortSocket } from "@port-server/domain/Listener"
import type { ContainerView, Publication } from "./ContainerView.ts"

/** A socket as it is found on this machine. */
export type FoundSocket = PortSocket & {
  /** The container that its process runs in, on the network of this machine. */
  readonly containerId?: string
}

const isWildcard = (address: string | undefined): boolean => address === "0.0.0.0" || address === "::"

/** The sockets by which an engine takes what is sent to a port of a container. */
const socketsOf = (
  { address, protocol }: Publication,
  sockets: ReadonlyArray<FoundSocket>
): ReadonlyArray<FoundSocket> => {
  const possible = sockets.filter(
    (socket) => socket.protocol === protocol && socket.state !== "connected" && socket.containerId === undefined
  )
  if (address === undefined) {
    // Podman does not say it: another program can have the port at another address.
    const engines = possible.filter(({ command }) => command === undefined || isEngineProgram(command))
    return engines.length === 0 ? possible : engines
  }
  const exact = possible.filter((socket) => socket.address === undefined || socket.address === address)
  if (exact.length > 0 || !isWildcard(address)) return exact
  // Some engines have one socket for both families.
  return possible.filter((socket) => isWildcard(socket.address))
}

/**
 * The sockets on a port with the containers for which they are. A container that an engine reaches without a socket of
 * this machine is one, too.
 */
export const nameContainers = (
  port: number,
  sockets: ReadonlyArray<FoundSocket>,
  { byId, published }: Pick<ContainerView, "byId" | "published">
): ReadonlyArray<PortSocket> => {
  const containers = new Map<FoundSocket, Publication["container"]>()
  const unseen: Array<PortSocket> = []
  for (const publication of published.get(port) ?? []) {
    const { address, container, protocol } = publication
    const found = socketsOf(publication, sockets)
    for (const socket of found) containers.set(socket, container)
    if (found.length > 0) continue
    const state = protocol === "udp" ? "bound" : "listening"
    unseen.push({ protocol, ...(address === undefined ? {} : { address }), state, container })
  }
  const named = sockets.map((socket): PortSocket => {
    const { containerId, ...shown } = socket
    const container = containers.get(socket) ?? byId.get(containerId ?? "")
    return container === undefined ? shown : { ...shown, container }
  })
  return [...named, ...unseen]
}
