import { type Address, isSocketAddress } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import { foreign } from "../client/OwnServer.ts"
import { ServerNotStarted, type ServerUnusable } from "../errors/ServerErrors.ts"
import * as User from "../platform/User.ts"
import { isChosen } from "../settings/UsualAddress.ts"

/** Fails for a server of another user at an address that nobody chose. */
export const assertOwn = (address: Address, { user }: ServerInfo): Effect.Effect<void, ServerUnusable> =>
  user === undefined || isSocketAddress(address) || isChosen(address) || User.isOwnName(user)
    ? Effect.void
    : Effect.fail(foreign(address, user))

/**
 * Fails under `sudo` at an address that nobody chose: root's server would take the place of the user's own.
 *
 * @param command what to run without `sudo`
 */
export const assertMayStart = (address: Address, command = "portctl start"): Effect.Effect<void, ServerNotStarted> =>
  User.sudoUid === undefined || isChosen(address)
    ? Effect.void
    : new ServerNotStarted({
        message: `port-server is not started under sudo, where it would be root's and not yours: run ${command} without sudo, or choose an address with --port or PORT_SERVER_ADDR`
      })
