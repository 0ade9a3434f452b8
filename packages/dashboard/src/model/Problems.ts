import { idleState } from "@port-server/domain/ContainerState"
import { containerName, counted, listenerName, shown } from "./Text.ts"
import type { Socket } from "./Types.ts"
import { nameOf, type Service, type WorkingCopy } from "./WorkingCopies.ts"

/** Something that is wrong, and the next command. */
export interface Problem {
  readonly key: string
  /** Where it is on the page. */
  readonly anchor: string
  readonly title: string
  readonly detail: string
  readonly command: string
}

/** The id of a service's row. */
export const anchorOf = ({ allocation }: Service): string => `port-${allocation.port}`

const foreign = (copy: WorkingCopy, service: Service): Problem => {
  const { port } = service.allocation
  const socket: Partial<Socket> = service.sockets.find(({ belongs }) => belongs === "no") ?? {}
  const owner = socket.project === undefined ? "" : `, which is ${nameOf(socket.project)}`
  const folder = socket.container === undefined ? socket.cwd : socket.container.folder
  const place = folder === undefined ? "" : `It runs in ${shown(folder)}${owner}. `
  return {
    key: `foreign ${port}`,
    anchor: anchorOf(service),
    title: `Port ${port} of ${nameOf(copy)} ${shown(service.allocation.service)} is taken by ${listenerName(socket)}`,
    detail: `${place}Stop it, or release the port and ensure the service again.`,
    command: `portctl why --port ${port}`
  }
}

const gone = (copy: WorkingCopy): ReadonlyArray<Problem> => {
  const services = copy.services.filter(({ isGone }) => isGone)
  const [first] = services
  if (first === undefined) return []
  const busy = services.find(({ sockets }) => sockets.length > 0)
  const still =
    busy?.sockets[0] === undefined ? "" : ` ${listenerName(busy.sockets[0])} is still on port ${busy.allocation.port}.`
  return [
    {
      key: `gone ${copy.key}`,
      anchor: anchorOf(first),
      title: `The folder of ${nameOf(copy)} is gone`,
      detail: `${shown(first.allocation.path ?? "")} had ${counted(services.length, "port")}, which nobody else gets.${still}`,
      command: "portctl prune"
    }
  ]
}

const contested = (copy: WorkingCopy, service: Service): ReadonlyArray<Problem> => {
  const { allocation, reserved } = service
  if (reserved?.belongs !== "no") return []
  const { container } = reserved
  return [
    {
      key: `contested ${allocation.port}`,
      anchor: anchorOf(service),
      title: `Port ${allocation.port} of ${nameOf(copy)} ${shown(allocation.service)} is published by a ${idleState(container)} container, ${containerName(container)}`,
      detail: `It belongs to ${shown(container.folder ?? "")}. Only one of the two can be started.`,
      command: `portctl why --port ${allocation.port}`
    }
  ]
}

/** What is wrong, worst first. */
export const problemsOf = (copies: ReadonlyArray<WorkingCopy>): ReadonlyArray<Problem> => [
  ...copies.flatMap((copy) =>
    copy.services.flatMap((service) => (service.state === "foreign" && !service.isGone ? [foreign(copy, service)] : []))
  ),
  ...copies.flatMap(gone),
  ...copies.flatMap((copy) => copy.services.flatMap((service) => contested(copy, service)))
]

/** `3 of 5 listen`. */
export const summaryOf = ({ services }: WorkingCopy): string => {
  if (services.some(({ state }) => state === "reading" || state === "unreadable")) {
    return counted(services.length, "port")
  }
  const busy = services.filter(({ state }) => state !== "idle").length
  return busy === 0 ? `${counted(services.length, "port")}, idle` : `${busy} of ${services.length} in use`
}
