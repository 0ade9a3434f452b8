import type { ServerAddress } from "@port-server/domain/ServerAddress"
import type { ServerSettings } from "@port-server/domain/Settings"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { isElsewhere } from "../client/OtherNetwork.ts"
import { SettingsUnusable } from "../errors/ServerErrors.ts"
import * as OuterNetwork from "../platform/OuterNetwork.ts"
import * as SettingsFile from "../settings/SettingsFile.ts"
import * as SettingsUpdate from "../settings/SettingsUpdate.ts"
import { ownSettingsSocket } from "../settings/UsualSocket.ts"
import * as ServerProbe from "./ServerProbe.ts"

/** Whether the server of the settings runs, and in another network. */
const isServerOutside = (address: ServerAddress) =>
  Effect.flatMap(
    ownSettingsSocket(address),
    Option.match({
      onNone: () => Effect.succeed(false),
      onSome: (at) =>
        Effect.map(ServerProbe.probe(at), (status) => status._tag === "Running" && isElsewhere(at, status.info))
    })
  )

const keep = Effect.fnUntraced(function* (address: ServerAddress, given: ServerSettings) {
  if (yield* SettingsUpdate.has(address, given)) return
  // The same address is another server outside, which is not to start as one in a sandbox did.
  if (OuterNetwork.isAroundThis() || (yield* isServerOutside(address))) {
    return yield* new SettingsUnusable({
      message: `this is a sandbox with a network of its own, and ${SettingsFile.path()} is for the servers outside (portctl config set writes it all the same)`
    })
  }
  yield* SettingsUpdate.remember(address, given)
})

/** Keep how a server was started. It runs, so that what cannot be kept is a note only. */
export const remember = (address: ServerAddress, given: ServerSettings): Effect.Effect<void> =>
  Effect.catchAll(keep(address, given), ({ message }) =>
    Console.error(`note: how port-server was started is not kept for the next start: ${message}`)
  )
