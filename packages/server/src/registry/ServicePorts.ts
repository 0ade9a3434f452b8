import { Allocation } from "@port-server/domain/Allocation"
import { maxPorts, namesOf, portsFrom } from "@port-server/domain/Block"
import { type EnsureRequest, type EnsureResult, portCount, type ServiceRequest } from "@port-server/domain/Ensure"
import { InvalidRequest, PortTaken } from "@port-server/domain/Errors"
import { escapeControls } from "@port-server/domain/Name"
import * as Arr from "effect/Array"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { PortBitSet } from "../storage/PortBitSet.ts"
import type { TransactionOps } from "../storage/TransactionOps.ts"
import type { PortPicker } from "./PortAllocator.ts"

/** From here on, the ports of one ensure make it a large request. */
const manyPorts = 16

/** Whether an ensure is for so many ports that it waits for other large ones and has a transaction of its own. */
export const isLarge = ({ services }: Pick<EnsureRequest, "services">): boolean => portCount(services) >= manyPorts

/** A service, and the ports that it has; one that a block lacks is `undefined`. */
export interface ServicePorts {
  readonly request: ServiceRequest
  /** The first port, if any of them is known. */
  readonly first: number | undefined
  readonly found: ReadonlyArray<Allocation | undefined>
}

/** The allocations of a service whose first port is this one. */
const at = (
  own: ReadonlyArray<Allocation>,
  { service, ...block }: ServiceRequest,
  first: number
): ServicePorts["found"] =>
  namesOf(service, block).map((name, index) =>
    own.find((allocation) => allocation.service === name && allocation.port === first + index)
  )

/** Whether a service has all of its ports. */
export const isComplete = ({ found }: ServicePorts): boolean => found.every(Predicate.isNotUndefined)

/**
 * The allocations that answer for a service: those with the port asked for; otherwise the newest that were ensured for a
 * folder, and else the oldest, so that a port allocated beside them later on changes no answer. Of a block, those that
 * are whole come first.
 */
export const current = (own: ReadonlyArray<Allocation>, request: ServiceRequest): ServicePorts => {
  const { port, service, ...block } = request
  const names = new Map(namesOf(service, block).map((name, index) => [name, index]))
  const held = own.filter((allocation) => names.has(allocation.service))
  const ordered = [
    ...held.filter(({ path }) => path !== undefined).reverse(),
    ...held.filter(({ path }) => path === undefined)
  ]
  const firsts = port ? [port] : ordered.map((allocation) => allocation.port - (names.get(allocation.service) ?? 0))
  const known = [...new Set(firsts)].map((first) => ({ request, first, found: at(own, request, first) }))
  return (
    known.find(isComplete) ??
    known.find(({ found: [first] }) => first !== undefined) ??
    known[0] ?? { request, first: undefined, found: [...names].map(() => undefined) }
  )
}

/** The allocations of an instance that may answer for services, by id: all that {@link current} has to know. */
export const readCandidates = Effect.fnUntraced(function* (
  write: TransactionOps,
  instance: Pick<Allocation, "app" | "instance">,
  services: ReadonlyArray<ServiceRequest>
) {
  const [single, blocks] = Arr.partition(services, ({ size = 1 }) => size > 1)
  const names = blocks.flatMap((block) => namesOf(block.service, block))
  const found = [
    ...(single.length === 0 ? [] : yield* write.instances.answering(instance, single)),
    ...(names.length === 0 ? [] : yield* write.instances.ofServices(instance, names))
  ]
  return Arr.dedupeWith(
    found.toSorted((one, other) => one.id - other.id),
    (one, other) => one.id === other.id
  )
})

/** The ports that a service lacks, if they are to follow `first`. */
const lacking = ({ found, request }: ServicePorts, first: number): ReadonlyArray<number> =>
  portsFrom(first, request).filter((_, index) => found[index] === undefined)

/** The services that are given their first ports now, and other ones than they prefer. */
const notPreferred = (
  services: ReadonlyArray<ServicePorts>,
  chosen: ReadonlyMap<ServiceRequest, number>
): Pick<EnsureResult, "not_preferred"> => {
  const not_preferred = services.flatMap(({ first, request }) => {
    const { prefer, service } = request
    return first === undefined && prefer && chosen.get(request) !== prefer ? [{ service, prefer }] : []
  })
  return not_preferred.length === 0 ? {} : { not_preferred }
}

/**
 * Choose the first ports of services that lack some, before anything is written; and which of those that get their first
 * ones now get others than they prefer.
 */
export const choose = Effect.fnUntraced(function* (
  write: TransactionOps,
  services: ReadonlyArray<ServicePorts>,
  picker: PortPicker
) {
  const asked = services.flatMap((each) => (each.request.port ? lacking(each, each.request.port) : []))
  const [holder] = yield* write.holders(asked)
  if (holder !== undefined) return yield* new PortTaken({ holder })
  const wishes = services.flatMap((each) => [
    ...(each.first === undefined ? [] : lacking(each, each.first)),
    ...(each.request.prefer ? portsFrom(each.request.prefer, each.request) : [])
  ])
  const taken = new PortBitSet([...asked, ...(yield* write.held(wishes))])
  const chosen = new Map<ServiceRequest, number>()
  const take = ({ request }: ServicePorts, first: number) => {
    chosen.set(request, first)
    for (const port of portsFrom(first, request)) taken.add(port)
  }
  const isFree = (ports: ReadonlyArray<number>) =>
    ports.some((port) => port > 65535 || taken.has(port))
      ? Effect.succeed(false)
      : Effect.every(ports, picker.isAvailable)
  for (const each of services) {
    if (each.request.port) take(each, each.request.port)
  }
  // A block that has grown goes on where it is, if it can.
  for (const each of services) {
    if (chosen.has(each.request) || each.first === undefined) continue
    if (yield* isFree(lacking(each, each.first))) take(each, each.first)
  }
  for (const each of services) {
    const { prefer } = each.request
    if (chosen.has(each.request) || !prefer) continue
    if (yield* isFree(portsFrom(prefer, each.request))) take(each, prefer)
  }
  for (const each of services) {
    if (!chosen.has(each.request)) take(each, yield* picker.nextFree(write, taken, each.request))
  }
  return { chosen, ...notPreferred(services, chosen) }
})

/** The allocations of a service by name and port, where it begins at the port that is chosen or the one that it has. */
export const allocationsOf = (
  own: ReadonlyArray<Allocation>,
  { first = 0, found, request }: ServicePorts,
  chosen: ReadonlyMap<ServiceRequest, number>
) => {
  const from = chosen.get(request) ?? first
  const present = from === first ? found : at(own, request, from)
  return namesOf(request.service, request).map((name, index) => ({ name, port: from + index, present: present[index] }))
}

/** What an allocation would be. */
export const imagined = ({ app, instance }: Pick<Allocation, "app" | "instance">, service: string, port: number) =>
  Effect.map(
    DateTime.now,
    (now) =>
      new Allocation({
        id: Allocation.fields.id.make(0),
        app,
        instance,
        service,
        port,
        created_at: DateTime.formatIso(now).replace(/\.\d+/, "")
      })
  )

/** The folders whose state decides whether a project takes allocations over: of those that are others', and its own. */
export const deciding = (
  path: string | undefined,
  candidates: ReadonlyArray<Allocation>,
  ports: ReadonlyArray<ServicePorts>
): ReadonlyArray<string> => {
  if (path === undefined) return []
  const others = [...new Set(candidates.flatMap((each) => each.path ?? []))].filter((other) => other !== path)
  const isPlaced = ports.every(({ found }) => found.every((allocation) => allocation?.path !== undefined))
  return others.length === 0 && isPlaced ? [] : [...others, path]
}

/** The services that an instance has; an ensure of more than one may ask for is refused. */
export const servicesOf = Effect.fnUntraced(function* (
  write: TransactionOps,
  owner: Pick<EnsureRequest, "app" | "instance">
) {
  const names = yield* write.instances.services(owner, maxPorts + 1)
  if (names.length > maxPorts) {
    const message = `${owner.app}/${owner.instance} has more than ${maxPorts} services: name those that are wanted`
    return yield* new InvalidRequest({ message: escapeControls(message) })
  }
  return names.map((service): ServiceRequest => ({ service }))
})
