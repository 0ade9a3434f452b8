import type { PortStatus } from "@port-server/domain/api/Results"
import { socketsOf } from "@port-server/domain/ListenerSockets"
import { escapeControls } from "@port-server/domain/Name"
import { ownerAndId } from "./AllocationTable.ts"
import * as ContainerFormat from "./ContainerFormat.ts"
import { byProcess, holds } from "./ListenerFormat.ts"

/** Whether nothing is known that holds the port: no allocation, no socket, no container. */
export const isFree = (status: PortStatus): boolean =>
  status.available &&
  socketsOf(status).length === 0 &&
  status.reserved === undefined &&
  status.listener_error === undefined

/** Whether the port is free, in one sentence. */
export const sentence = (status: PortStatus): string => {
  const { holder, holder_error, listener_error, port, reserved } = status
  if (holder !== undefined) return `port ${port} is allocated to ${ownerAndId(holder)}`
  if (holder_error !== undefined) return escapeControls(holder_error)
  const [first] = byProcess(socketsOf(status))
  if (first !== undefined) return `port ${port} is not allocated, but ${holds(first, "it")}`
  if (reserved !== undefined) return `port ${port} is not allocated, but ${ContainerFormat.reserves(reserved, "it")}`
  return listener_error === undefined
    ? `port ${port} is available`
    : `port ${port} is not allocated, but ${escapeControls(listener_error)}`
}
