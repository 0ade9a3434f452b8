import type { ServerAddress } from "@port-server/domain/ServerAddress"
import { addressFromEnv, defaultAddress } from "@port-server/domain/ServerAddress"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import type { SettingsUnusable } from "../errors/ServerErrors.ts"
import * as SettingsFile from "./SettingsFile.ts"

/** Whether an address was chosen, by a flag, the environment or the settings: it is not the very default, whatever it is. */
export const isChosen = (address: ServerAddress): boolean => address !== defaultAddress

/** Where portctl asks: `PORT_SERVER_ADDR`, else `address` of the settings, else the default. */
export const usualAddress: Effect.Effect<ServerAddress, ConfigError | SettingsUnusable> = Effect.flatMap(
  addressFromEnv,
  (given) =>
    !isChosen(given) ? Effect.map(SettingsFile.read, ({ address }) => address ?? defaultAddress) : Effect.succeed(given)
)
