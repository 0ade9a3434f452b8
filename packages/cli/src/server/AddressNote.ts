import { isSocketAddress, type ServerAddress } from "@port-server/domain/ServerAddress"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { usualAddress } from "../settings/UsualAddress.ts"

/** Note, where that is not what portctl asks, how it asks the server at an address. */
export const noteAddress = (address: ServerAddress) =>
  Effect.flatMap(usualAddress, (usual) =>
    !isSocketAddress(usual) && usual.port === address.port
      ? Effect.void
      : Console.error(`portctl asks ${usual}; to ask this one: export PORT_SERVER_ADDR=${address}`)
  )
