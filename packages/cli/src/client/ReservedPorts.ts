import type { PortServerClient } from "@port-server/domain/api/PortServerClient"
import type { Reservation } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"

/** The stopped containers that publish ports, by port; those at allocated ports are judged, unless by an older server. */
export const reservedPorts = (client: PortServerClient) =>
  client.containers().pipe(
    Effect.map(({ containers, reserved = [] }) => {
      const found = new Map<number, Reservation>()
      for (const { ports, state, ...container } of containers) {
        for (const port of state === "stopped" ? new Set(ports.map(({ port }) => port)) : []) {
          const other = found.get(port)
          found.set(port, other === undefined ? { container } : { ...other, others: (other.others ?? 0) + 1 })
        }
      }
      for (const { port, ...judged } of reserved) found.set(port, judged)
      return found
    }),
    // An older server does not know of containers.
    Effect.catchTag("UnexpectedResponse", () => Effect.succeed(new Map<number, Reservation>()))
  )
