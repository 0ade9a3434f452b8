import type { Container } from "@port-server/domain/Container"
import type { Listener, ListeningPort, PortSocket } from "@port-server/domain/Listener"
import type { ContainerView } from "../containers/ContainerView.ts"
import { nameContainers } from "../containers/PublishedPorts.ts"
import type { PortSockets } from "./PortScanner.ts"

/** What is known of a port's sockets; `listener` is the process of the first. */
export interface ListenerInfo extends Pick<ListeningPort, "listener_error"> {
  readonly listener: Listener
  readonly listeners: ReadonlyArray<PortSocket>
}

/** What is known of containers and a port. */
export interface ContainerInfo extends Pick<ListeningPort, "container_error"> {
  /** The stopped containers that publish it. */
  readonly reserving?: ReadonlyArray<Container>
}

/** A port with its sockets, and what is known of containers and it. */
export type FoundPort = Omit<ListeningPort, "holder" | "reserved"> & ContainerInfo

const processOf = ({
  address: _address,
  belongs: _belongs,
  project: _project,
  protocol: _protocol,
  state: _state,
  ...process
}: PortSocket): Listener => process

/** What is known of a port's sockets; nothing where it has none, and no container is reached on it without one. */
export const infoOf = (
  port: number,
  { listener_error, listeners }: PortSockets,
  view: ContainerView
): ListenerInfo | undefined => {
  const named = nameContainers(port, listeners, view)
  const [first] = named
  if (first === undefined) return undefined
  return {
    listener: processOf(first),
    listeners: named,
    ...(listener_error === undefined ? {} : { listener_error })
  }
}

/**
 * What is known of containers and a port. Where the engine has not told the ports of stopped ones, that matters to a port
 * that nothing is known to need.
 */
export const containerInfoOf = (
  port: number,
  { engine, reserved }: ContainerView,
  hasSockets: boolean
): ContainerInfo => {
  const reserving = reserved.get(port)
  const matters = engine.status !== "running" || (!hasSockets && reserving === undefined)
  return {
    ...(reserving === undefined ? {} : { reserving }),
    ...(engine.error === undefined || !matters ? {} : { container_error: engine.error })
  }
}

/** A port without sockets. */
export const nothing: PortSockets = { listeners: [] }

/** Those of the ports that something holds. */
export const listeningPorts = (
  ports: ReadonlyArray<number>,
  found: ReadonlyMap<number, PortSockets>,
  view: ContainerView
): ReadonlyArray<FoundPort> =>
  ports.flatMap((port) => {
    const info = infoOf(port, found.get(port) ?? nothing, view)
    if (info === undefined) return []
    const addresses = [...new Set(info.listeners.flatMap(({ address }) => address ?? []))]
    return [{ port, addresses, ...info, ...containerInfoOf(port, view, true) }]
  })
