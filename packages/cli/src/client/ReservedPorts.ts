import type { PortServerClient } from "@port-server/domain/api/PortServerClient"
import type { Reservation } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"

/** The stopped containers that publish ports, by port. */
export const reservedPorts = (client: PortServerClient) =>
  client.containers().pipe(
    Effect.map(
      ({ reserved = [] }) => new Map(reserved.map(({ port, ...each }): [number, Reservation] => [port, each]))
    ),
    // An older server does not know of containers.
    Effect.catchTag("UnexpectedResponse", () => Effect.succeed(new Map<number, Reservation>()))
  )
