import { sortNaturally } from "./NaturalOrder.ts"
import { type PortState, portStates, socketsOf, stateOf, type Unread } from "./PortState.ts"
import { shown } from "./Text.ts"
import type { Allocation, ListeningPort, ReservedPort, Socket, Stale } from "./Types.ts"

/** A service of a working copy, with what is on its port. */
export interface Service {
  readonly allocation: Allocation
  readonly state: PortState
  readonly sockets: ReadonlyArray<Socket>
  /** Whether the folder that it was ensured for is gone. */
  readonly isGone: boolean
  /** The stopped container that publishes the port, and whose that is. */
  readonly reserved: ReservedPort | undefined
  /** Why less is known than there is to know. */
  readonly error: string | undefined
}

/** An instance of an app, with its services by name. */
export interface WorkingCopy {
  readonly key: string
  readonly app: string
  readonly instance: string
  /** The folder of its first allocation that has one. */
  readonly folder: string | undefined
  readonly services: ReadonlyArray<Service>
  /** Whether that is gone. */
  readonly isGone: boolean
  /** The worst state of its services. */
  readonly state: PortState
}

/** `shop/main`, as the page shows it. */
export const nameOf = ({ app, instance }: Pick<Allocation, "app" | "instance">): string => shown(`${app}/${instance}`)

/** What tells instances apart. */
export const keyOf = ({ app, instance }: Pick<Allocation, "app" | "instance">): string =>
  JSON.stringify([app, instance])

const copyOf = (key: string, services: ReadonlyArray<Service>): WorkingCopy => {
  const [{ allocation } = { allocation: undefined }] = services
  return {
    key,
    app: allocation?.app ?? "",
    instance: allocation?.instance ?? "",
    folder: services.find((service) => service.allocation.path !== undefined)?.allocation.path,
    isGone: services.some((service) => service.isGone),
    services: sortNaturally(
      services,
      ({ allocation }) => allocation.service,
      (one, other) => one.allocation.port - other.allocation.port
    ),
    state: portStates.find((state) => services.some((service) => service.state === state)) ?? "idle"
  }
}

/** Whether something is wrong with it. */
export const isInTrouble = (service: Service): boolean =>
  service.state === "foreign" || service.isGone || service.reserved?.belongs === "no"

/** The ids of the allocations whose folder is gone for sure. */
const goneIds = ({ allocations, kept = [] }: Stale): ReadonlySet<number> =>
  new Set([
    ...allocations.map(({ id }) => id),
    ...kept.flatMap(({ allocation, reason }) => (reason === "listening" ? [allocation.id] : []))
  ])

/** The working copies: those in trouble first, then by app and instance. */
export const workingCopies = (
  allocations: ReadonlyArray<Allocation>,
  listening: ReadonlyArray<ListeningPort> | Unread,
  stale: Stale,
  reserved: ReadonlyArray<ReservedPort>
): ReadonlyArray<WorkingCopy> => {
  const ports = new Map(typeof listening === "string" ? [] : listening.map((each) => [each.port, each]))
  const gone = goneIds(stale)
  const reservations = new Map(reserved.map((each) => [each.port, each]))
  const groups = new Map<string, Array<Service>>()
  for (const allocation of allocations) {
    const found = ports.get(allocation.port)
    const sockets = socketsOf(found)
    const service = {
      allocation,
      sockets,
      isGone: gone.has(allocation.id),
      state: typeof listening === "string" ? listening : stateOf(sockets),
      reserved: reservations.get(allocation.port),
      error: found?.listener_error ?? found?.container_error
    }
    const key = keyOf(allocation)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [service])
    else group.push(service)
  }
  const copies = [...groups].map(([key, services]) => copyOf(key, services))
  const rank = ({ services, state }: WorkingCopy) => (state === "foreign" ? 0 : services.some(isInTrouble) ? 1 : 2)
  const byInstance = sortNaturally(copies, ({ instance }) => instance)
  return sortNaturally(byInstance, ({ app }) => app).toSorted((one, other) => rank(one) - rank(other))
}
