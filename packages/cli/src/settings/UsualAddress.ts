import type { Address } from "@port-server/domain/ServerAddress"
import { addressFromEnv, defaultAddress } from "@port-server/domain/ServerAddress"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import type { SettingsUnusable } from "../errors/ServerErrors.ts"
import * as SettingsFile from "./SettingsFile.ts"

/** Whether a flag, the environment or the settings gave the address: one that equals the default counts as chosen, too. */
export const isChosen = (address: Address): boolean => address !== defaultAddress

/** Where portctl looks for the server: `PORT_SERVER_ADDR`, else `address` of the settings, else the default. */
export const usualAddress: Effect.Effect<Address, ConfigError | SettingsUnusable> = Effect.flatMap(
  addressFromEnv,
  (given) =>
    !isChosen(given) ? Effect.map(SettingsFile.read, ({ address }) => address ?? defaultAddress) : Effect.succeed(given)
)
