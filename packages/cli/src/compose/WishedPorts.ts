import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { portsFrom } from "@port-server/domain/Block"
import type { EnsureResult, ServiceRequest } from "@port-server/domain/Ensure"
import { socketsOf } from "@port-server/domain/ListenerSockets"
import { Port } from "@port-server/domain/Port"
import * as Effect from "effect/Effect"
import { isPrivileged } from "../platform/PortLimits.ts"
import type { Here } from "../project/ProjectContext.ts"
import { settingsOf } from "../project/ProjectPorts.ts"
import type { Wanted } from "./PublishedPorts.ts"

/** Whether nobody has a port, as far as that can be seen without binding it. */
const isFree = Effect.fnUntraced(function* (port: number) {
  const client = yield* PortServerClient
  const status = yield* client.check(Port.make(port))
  return status.available && status.reserved === undefined && socketsOf(status).length === 0
})

/**
 * What the registry is asked for. A port that the server may not bind is not given to whom only prefers it, but the engine
 * may: where it is free, exactly that one is asked for.
 *
 * @param held the services that have ports or settings already
 */
export const wishedOf = (services: ReadonlyMap<Wanted, string>, held: ReadonlyArray<string>) =>
  Effect.forEach(
    services,
    Effect.fnUntraced(function* ([{ first, size }, service]) {
      const block = size > 1 ? { size } : {}
      const isExact =
        isPrivileged(first) && !held.includes(service) && (yield* Effect.every(portsFrom(first, block), isFree))
      const wished: ServiceRequest = { service, [isExact ? "port" : "prefer"]: Port.make(first), ...block }
      return wished
    })
  )

/** Whether services of one port each have it: then no other answer comes of what they prefer. */
export const areHeld = (wished: ReadonlyArray<ServiceRequest>, { allocations }: EnsureResult): boolean =>
  wished.every(
    ({ service, size }) => size === undefined && allocations.some((each) => each.service === service && each.id > 0)
  )

/** The first port of each that is wanted, by its service. */
export const firstsOf = (services: ReadonlyMap<Wanted, string>, { allocations }: EnsureResult) =>
  new Map(
    [...services].flatMap(([each, name]) => {
      const found = allocations.find(({ service }) => service === name)
      return found === undefined ? [] : [[each, found.port] as const]
    })
  )

/** The first port that the project file prefers in place of that of the Compose file. */
export const preferredOf = (services: ReadonlyMap<Wanted, string>, place: Here) =>
  new Map(
    [...services].flatMap(([each, name]) => {
      const { prefer } = settingsOf(place).get(name) ?? {}
      return prefer === undefined ? [] : [[each, prefer] as const]
    })
  )
